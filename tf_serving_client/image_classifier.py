"""Classifies images with one model over TensorFlow Serving's gRPC API."""

from array import array
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import grpc.aio

from tf_serving_client.errors import ContractBroken, NonFiniteScores, grpc_errors
from tf_serving_client.prediction import NotFinite, Prediction
from tf_serving_client.protos import DT_FLOAT, DT_STRING, PredictionServiceStub, PredictRequest, TensorProto

INPUT: Final = "image_bytes"
OUTPUT: Final = "scores"
SIGNATURE: Final = "serving_default"


class ImageClassifier:
    """Calls the model contract's one signature: `image_bytes` string [N] → `scores` float32 [N, len(labels)]."""

    def __init__(self, channel: grpc.aio.Channel, model: str, labels: Sequence[str], deadline: timedelta) -> None:
        self.model = model
        self.deadline = deadline
        self._labels = labels
        self._predict = PredictionServiceStub(channel).Predict

    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        """Classify N encoded images (JPEG or PNG) in one Predict; the predictions are in the same order.

        Raises a `ModelError`. One image that the model cannot read fails all N (`ImageRejected`), and so does one with
        scores that are not finite (`NonFiniteScores`).
        """
        request = PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = SIGNATURE
        tensor = request.inputs[INPUT]
        tensor.dtype = DT_STRING
        tensor.tensor_shape.dim.add(size=len(payloads))
        tensor.string_val.extend(payloads)
        with grpc_errors(self.model):
            response = await self._predict(request, timeout=self.deadline.total_seconds())
        return self._read(response.outputs.get(OUTPUT), response.model_spec.version.value, len(payloads))

    def _read(self, tensor: TensorProto | None, version: int, count: int) -> list[Prediction]:
        width = len(self._labels)
        try:
            scores = _floats(tensor)
            if len(scores) != count * width:
                raise ValueError(f"{len(scores)} scores for {count} images of {width} labels")
            rows = (scores[row : row + width] for row in range(0, len(scores), width))
            return [Prediction.from_scores(self.model, version, row, self._labels) for row in rows]
        except NotFinite as error:
            raise NonFiniteScores(self.model, f"answered with {error} for one of {count} images") from None
        except ValueError as error:
            raise ContractBroken(self.model, f"returned {error}; expected {OUTPUT} float32 [N, {width}]") from None


def _floats(tensor: TensorProto | None) -> Sequence[float]:
    """Read a float32 tensor from either of its encodings: typed values or little-endian bytes."""
    if tensor is None:
        raise ValueError(f"no output {OUTPUT!r}")
    if tensor.dtype != DT_FLOAT:
        raise ValueError(f"an output {OUTPUT!r} of another dtype")
    if tensor.tensor_content:
        return array("f", tensor.tensor_content)
    scores: list[float] = tensor.float_val[:]  # copying into an array takes three times as long as into a list
    return scores
