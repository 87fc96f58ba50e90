"""The interface of an inference engine. Other modules use a model only through `Engine` and `Servable`.

Importing this module imports neither TensorFlow nor a protobuf: the process creates its engine first, and the engine
decides how `tensorflow` is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

Array = np.ndarray[Any, np.dtype[Any]]
"""A tensor. Strings are arrays of dtype object that hold bytes; bfloat16 is `ml_dtypes.bfloat16`."""

PRECISIONS: Final = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Each engine applies the options that it supports. 0 lets the engine choose."""

    intra_op: int = 0
    """Threads within one op; OpenVINO: threads in total."""
    inter_op: int = 0
    """Ops run in parallel; OpenVINO: images computed in parallel."""
    inference_precision: str = "auto"
    """One of PRECISIONS. TensorFlow ignores it and uses the precision of the graph."""


class Servable(Protocol):
    """One loaded version of a model. Several threads run it concurrently."""

    @property
    def signature_defs(self) -> "Mapping[str, SignatureDef]":
        """All signatures of the SavedModel, internal ones included."""
        ...

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str], timeout: timedelta | None
    ) -> list[Array]:
        """Compute the aliases in `outputs`, in that order.

        `inputs` has every input alias of the signature, with the right dtype. Shapes are not checked beforehand: an op
        that does not accept a shape fails. Raises ServingError with the code of TensorFlow's session, DEADLINE_EXCEEDED
        after `timeout`.
        """
        ...

    def close(self) -> None:
        """Free the memory. Called once, when no request uses the servable any more."""
        ...


class Engine(Protocol):
    def load(self, directory: Path) -> Servable:
        """Load the version in `directory`: a SavedModel with the tag `serve`, and the files beside it.

        Takes seconds, during which other versions serve requests. Raises ServingError.
        """
        ...
