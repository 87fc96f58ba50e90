"""The reference engine: runs a SavedModel in a TensorFlow session, as TensorFlow Serving does."""

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.python.client import pywrap_tf_session

from local_tf_serving.engine import Array, EngineOptions
from local_tf_serving.errors import Code, DataLoss, InvalidArgument, NotFound, ServingError

SAVED_MODEL_FILES: Final = ("saved_model.pb", "saved_model.pbtxt")  # tensorflow/cc/saved_model/constants.h


class TensorFlowEngine:
    def __init__(self, options: EngineOptions) -> None:
        tf.get_logger().setLevel(logging.ERROR)  # hides a deprecation warning at each load
        self._config = v1.ConfigProto(
            intra_op_parallelism_threads=options.intra_op, inter_op_parallelism_threads=options.inter_op
        )
        self._config.experimental.optimize_for_static_graph = True  # drops the session's copy of the loaded graph
        self._config.experimental.disable_output_partition_graphs = True

    def load(self, directory: Path) -> "TensorFlowServable":
        if not any((directory / name).is_file() for name in SAVED_MODEL_FILES):
            raise NotFound(f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {directory}")
        with ExitStack() as on_failure:
            session = v1.Session(graph=tf.Graph(), config=self._config)
            on_failure.callback(session.close)
            try:
                with session.graph.as_default():
                    meta_graph = v1.saved_model.load(session, [tf.saved_model.SERVING], str(directory))
            except tf.errors.OpError as error:
                raise _serving_error(error) from error
            except OSError as error:  # the file is not a SavedModel
                raise DataLoss(str(error)) from error
            except RuntimeError as error:  # the SavedModel does not have the tag
                raise NotFound(str(error)) from error
            servable = TensorFlowServable(session, meta_graph.signature_def)
            on_failure.pop_all()
        return servable


class TensorFlowServable:
    def __init__(self, session: Any, signature_defs: Mapping[str, SignatureDef]) -> None:
        session._extend_graph()  # Session.run would do this before each run
        self._session = session
        # Copies, because the originals keep the MetaGraphDef in memory, frozen weights included.
        self.signature_defs = {name: _copy(definition) for name, definition in signature_defs.items()}
        definitions = self.signature_defs.items()
        self._feeds = {name: _endpoints(session.graph, definition.inputs) for name, definition in definitions}
        self._fetches = {name: _endpoints(session.graph, definition.outputs) for name, definition in definitions}

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str], timeout: timedelta | None
    ) -> list[Array]:
        """Skip the checks of Session.run, which take 95 of 115 µs.

        One of the checks would also differ from TensorFlow Serving: Session.run rejects a feed of another shape than
        its placeholder's, while TensorFlow Serving runs the graph, in which an op may fail.
        """
        try:
            feeds = {self._feeds[signature_name][alias]: array for alias, array in inputs.items()}
            fetches = [self._fetches[signature_name][alias] for alias in outputs]
        except KeyError as error:
            raise InvalidArgument(f"{error.args[0]} of {signature_name} is not a tensor of the graph") from error
        options = None
        if timeout is not None:
            options = v1.RunOptions(timeout_in_ms=max(1, math.ceil(timeout.total_seconds() * 1000))).SerializeToString()
            options = pywrap_tf_session.TF_NewBufferFromString(options)
        try:
            values = pywrap_tf_session.TF_SessionRun_wrapper(self._session._session, options, feeds, fetches, [], None)
        except tf.errors.OpError as error:
            raise _serving_error(error) from error
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        return [_as_array(value) for value in values]

    def close(self) -> None:
        self._session.close()
        self._session = None
        self._feeds = self._fetches = {}


def _copy(definition: SignatureDef) -> SignatureDef:
    copy = SignatureDef()
    copy.CopyFrom(definition)
    return copy


def _endpoints(graph: Any, infos: Mapping[str, Any]) -> dict[str, Any]:
    """The tensor of each alias, without the aliases that name an op, as in `__saved_model_init_op`."""
    endpoints = {}
    for alias, info in infos.items():
        try:
            endpoints[alias] = graph.get_tensor_by_name(info.name)._as_tf_output()
        except (KeyError, ValueError):
            continue  # as in TensorFlow Serving, only a request for this alias fails
    return endpoints


def _as_array(value: Any) -> Array:
    """The session returns a scalar as `bytes` or as a numpy scalar."""
    if isinstance(value, bytes):
        scalar = np.empty((), np.object_)
        scalar[()] = value
        return scalar
    return np.asarray(value)


def _serving_error(error: Any) -> ServingError:
    return ServingError(Code(error.error_code), error.message)
