"""The seam to what computes. Everything outside an engine's own file sees a model only through these two protocols.

Nothing here imports TensorFlow or a protobuf: making an engine is the first thing the process does, so that an engine
may decide how `tensorflow` is imported at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import service_log
from local_tf_serving import protos

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

    from local_tf_serving.openvino_engine import OpenVINOEngine

Array = np.ndarray[Any, np.dtype[Any]]
"""A tensor. Strings are arrays of dtype object holding bytes; bfloat16 is `ml_dtypes.bfloat16`."""


PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Options:
    """What an engine may be told. Each heeds what it can."""

    intra_op: int = 0
    """Threads for one op; OpenVINO: threads in all. 0 leaves the choice to the engine."""
    inter_op: int = 0
    """Independent ops run at once; OpenVINO: images. 0 leaves the choice to the engine."""
    inference_precision: str = "auto"
    """One of PRECISIONS. TensorFlow computes in whatever precision the graph has."""


class Servable(Protocol):
    """One version of a model, in memory. Several threads run it at once."""

    @property
    def signature_defs(self) -> "Mapping[str, SignatureDef]":
        """All signatures as the SavedModel has them, internal ones too."""
        ...

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str], timeout: float | None
    ) -> list[Array]:
        """Compute the aliases `outputs`, in that order.

        `inputs` has every input alias of the signature, each of its dtype; shapes are unchecked, so that the failing op
        says what is wrong. `timeout` is in seconds. Raises ServingError with the code TensorFlow's session would give,
        DEADLINE_EXCEEDED after `timeout`.
        """
        ...

    def close(self) -> None:
        """Free the memory. Nothing runs any more, and nothing will."""
        ...


class Engine(Protocol):
    def load(self, directory: Path) -> Servable:
        """Load the version in `directory`: a SavedModel, tagged `serve`, and whatever files lie beside it.

        Takes seconds and runs beside live requests. Raises ServingError.
        """
        ...


def _automatic(options: Options) -> Engine:
    try:
        openvino = _openvino(options)
    except (ImportError, OSError, RuntimeError) as error:  # not there, or not for this machine
        service_log.get_logger().info("engine", engine="tensorflow", why=f"OpenVINO can't be used here: {error}")
        return _tensorflow(options)
    from local_tf_serving.automatic_engine import AutomaticEngine

    return AutomaticEngine(openvino, lambda: _tensorflow(options))


def _openvino(options: Options) -> "OpenVINOEngine":
    protos.load_without_tensorflow()
    from local_tf_serving.openvino_engine import OpenVINOEngine

    return OpenVINOEngine(options)


def _tensorflow(options: Options) -> Engine:
    from local_tf_serving.stderr_filter import hidden

    with hidden():
        from local_tf_serving.tensorflow_engine import TensorFlowEngine
    return TensorFlowEngine(options)


ENGINES: Mapping[str, Callable[[Options], Engine]] = {
    "auto": _automatic,
    "openvino": _openvino,
    "tensorflow": _tensorflow,
}
"""What `--engine` can name. A maker imports its engine only when it is called."""
