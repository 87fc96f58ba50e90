"""The interface to a model. `ServedClassifier` and `ModelStatus` implement it over gRPC, test doubles in memory.

This is where other model servers come in: those that speak TensorFlow Serving's API, such as OpenVINO Model Server, or
the Open Inference Protocol, such as Triton and MLServer. A client of theirs implements these Protocols.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from tf_serving_client.errors import ModelError
from tf_serving_client.prediction import Prediction


class Classifier(Protocol):
    """Classifies batches of payloads."""

    @property
    def model(self) -> str:
        """The name the model is served under."""

    @property
    def deadline(self) -> timedelta:
        """How long one `classify` may take."""

    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        """Classify N payloads; the predictions are in the same order.

        Raises a `ModelError`. One payload that the model rejects fails all N (`InputRejected`), and so does one for
        which it computes no finite score (`NonFiniteScores`).
        """


class Availability(Protocol):
    """Reports whether a model can be called."""

    @property
    def model(self) -> str:
        """The name the model is served under."""

    async def is_available(self) -> bool:
        """Return True if some version of the model is loaded and reachable. Never raises."""


class ContractState(Protocol):
    """Reports whether the served model fits the model contract and the settings."""

    @property
    def problem(self) -> ModelError | None:
        """Why the last check of the model did not pass."""

    async def wait_until_fits(self) -> None:
        """Return when a version of the model has passed, immediately if no later check found a mismatch."""
