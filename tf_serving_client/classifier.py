"""The interface to a model. `ImageClassifier` and `ModelStatus` implement it over gRPC, test doubles in memory."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

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

        Raises a `ModelError`. One payload that the model rejects fails all N (`ImageRejected`), and so does one for
        which it computes no finite score (`NonFiniteScores`).
        """


class Availability(Protocol):
    """Reports whether a model can be called."""

    @property
    def model(self) -> str:
        """The name the model is served under."""

    async def is_available(self) -> bool:
        """Return True if some version of the model is loaded and reachable. Never raises."""
