"""One Predict call: payloads in, scores out."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import grpc.aio

from tf_serving_client.contract import Signature
from tf_serving_client.errors import ContractBroken, grpc_errors
from tf_serving_client.protos import DT_FLOAT, DT_STRING, PredictionServiceStub, PredictRequest, TensorProto


@dataclass(frozen=True, slots=True)
class ScoreRows:
    version: int
    """Of the model that computed them."""
    shape: Sequence[int]
    """As the server reports it. Empty if it does not."""
    values: Sequence[float]
    """Of all rows, one after the other."""

    def rows(self, width: int) -> list[Sequence[float]]:
        return [self.values[start : start + width] for start in range(0, len(self.values), width)]


class Predict:
    def __init__(self, channel: grpc.aio.Channel, model: str, deadline: timedelta) -> None:
        self.model = model
        self.deadline = deadline
        self._predict = PredictionServiceStub(channel).Predict

    async def scores(self, signature: Signature, payloads: Sequence[bytes]) -> ScoreRows:
        """Send N payloads in one Predict. Raises a `ModelError`."""
        request = PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature.name
        tensor = request.inputs[signature.input]
        tensor.dtype = DT_STRING
        tensor.tensor_shape.dim.add(size=len(payloads))
        tensor.string_val.extend(payloads)
        if signature.has_other_outputs:
            request.output_filter.append(signature.output)
        with grpc_errors(self.model):
            response = await self._predict(request, timeout=self.deadline.total_seconds())
        output = response.outputs.get(signature.output)
        try:
            values = _floats(output)
        except ValueError as error:
            raise ContractBroken(self.model, f"returned {error}; expected {signature.output} float32 [N, L]") from None
        shape = tuple(dim.size for dim in output.tensor_shape.dim)
        return ScoreRows(response.model_spec.version.value, shape, values)


def _floats(tensor: TensorProto | None) -> Sequence[float]:
    """Read a float32 tensor from either of its encodings: typed values or little-endian bytes."""
    if tensor is None:
        raise ValueError("no such output")
    if tensor.dtype != DT_FLOAT:
        raise ValueError("an output of another dtype")
    if tensor.tensor_content:
        return array("f", tensor.tensor_content)
    values: list[float] = tensor.float_val[:]  # copying into an array takes three times as long as into a list
    return values
