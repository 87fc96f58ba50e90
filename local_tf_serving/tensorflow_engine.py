"""The reference engine: TensorFlow's own session on the SavedModel, as in TensorFlow Serving."""

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.python.client import pywrap_tf_session

from local_tf_serving.engine import Array, Options
from local_tf_serving.errors import Code, DataLoss, InvalidArgument, NotFound, ServingError

_SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")  # tensorflow/cc/saved_model/constants.h
_v1 = tf.compat.v1


class TensorFlowEngine:
    def __init__(self, options: Options) -> None:
        tf.get_logger().setLevel(logging.ERROR)  # every load would warn that v1's loader is deprecated
        self._config = _v1.ConfigProto(
            intra_op_parallelism_threads=options.intra_op, inter_op_parallelism_threads=options.inter_op
        )
        self._config.experimental.optimize_for_static_graph = True  # the session drops its copy of the graph as loaded
        self._config.experimental.disable_output_partition_graphs = True

    def load(self, directory: Path) -> "TensorFlowServable":
        if not any((directory / name).is_file() for name in _SAVED_MODEL_FILES):
            raise NotFound(f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {directory}")
        with ExitStack() as unless_loaded:
            session = _v1.Session(graph=tf.Graph(), config=self._config)
            unless_loaded.callback(session.close)
            try:
                with session.graph.as_default():
                    meta_graph = _v1.saved_model.load(session, [tf.saved_model.SERVING], str(directory))
            except tf.errors.OpError as error:
                raise _serving_error(error) from error
            except OSError as error:  # the loader's word for bytes that are no SavedModel
                raise DataLoss(str(error)) from error
            except RuntimeError as error:  # and for a SavedModel without the tag
                raise NotFound(str(error)) from error
            servable = TensorFlowServable(session, meta_graph.signature_def)
            unless_loaded.pop_all()
        return servable


class TensorFlowServable:
    def __init__(self, session: Any, signature_defs: Mapping[str, SignatureDef]) -> None:
        session._extend_graph()  # `run` below leaves out what Session.run does before each run
        self._session = session
        # Copies: the originals would keep their whole MetaGraphDef in memory, and with it frozen weights.
        self.signature_defs = {name: _copy(definition) for name, definition in signature_defs.items()}
        self._feeds = {name: _ends(session.graph, signature.inputs) for name, signature in self.signature_defs.items()}
        self._fetches = {
            name: _ends(session.graph, signature.outputs) for name, signature in self.signature_defs.items()
        }

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str], timeout: float | None
    ) -> list[Array]:
        """Calls what Session.run calls, less its checks: 20 µs instead of 115.

        One of those checks is also wrong here. Session.run refuses a feed that doesn't fit its placeholder's shape;
        TensorFlow Serving lets it run, and the op that can't take it says so.
        """
        try:
            feeds = {self._feeds[signature_name][alias]: array for alias, array in inputs.items()}
            fetches = [self._fetches[signature_name][alias] for alias in outputs]
        except KeyError as error:
            raise InvalidArgument(f"{error.args[0]} of {signature_name} is not a tensor of the graph") from error
        options = None
        if timeout is not None:
            options = _v1.RunOptions(timeout_in_ms=max(1, math.ceil(timeout * 1000))).SerializeToString()
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


def _ends(graph: Any, infos: Mapping[str, Any]) -> dict[str, Any]:
    """The graph's handle of each alias; without those that name an op, as `__saved_model_init_op` does."""
    ends = {}
    for alias, info in infos.items():
        try:
            ends[alias] = graph.get_tensor_by_name(info.name)._as_tf_output()
        except (KeyError, ValueError):
            continue  # TensorFlow Serving loads such a model too; asking for this alias is the error
    return ends


def _as_array(value: Any) -> Array:
    """A scalar comes as a plain `bytes` or a numpy scalar."""
    if isinstance(value, bytes):
        scalar = np.empty((), np.object_)
        scalar[()] = value
        return scalar
    return np.asarray(value)


def _serving_error(error: Any) -> ServingError:
    return ServingError(Code(error.error_code), error.message)
