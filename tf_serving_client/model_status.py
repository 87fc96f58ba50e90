"""Queries a model server for the state and the signature of a model."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import grpc.aio

from tf_serving_client.errors import ContractBroken, ModelError, grpc_errors
from tf_serving_client.image_classifier import INPUT, OUTPUT, SIGNATURE
from tf_serving_client.protos import (
    DT_FLOAT,
    DT_STRING,
    GetModelMetadataRequest,
    GetModelStatusRequest,
    ModelServiceStub,
    ModelVersionStatus,
    PredictionServiceStub,
    SignatureDef,
    SignatureDefMap,
)

UNTRAINED: Final = "untrained"
"""Part of the name of the graph tensor behind `scores` in an export with untrained weights. That name is the only value
that an export can choose and that TensorFlow Serving returns to clients."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """The served version of a model, as its server describes it."""

    model: str
    version: int
    is_untrained: bool
    """The weights were never trained, so the labels mean nothing."""


class ModelStatus:
    def __init__(self, channel: grpc.aio.Channel, model: str, deadline: timedelta) -> None:
        self.model = model
        self._deadline_s = deadline.total_seconds()
        self._models = ModelServiceStub(channel)
        self._predictions = PredictionServiceStub(channel)

    async def is_available(self) -> bool:
        """Return True if some version of the model is AVAILABLE, and False for an unreachable server."""
        request = GetModelStatusRequest()
        request.model_spec.name = self.model
        try:
            with grpc_errors(self.model):
                response = await self._models.GetModelStatus(request, timeout=self._deadline_s)
        except ModelError:
            return False
        return any(version.state == ModelVersionStatus.AVAILABLE for version in response.model_version_status)

    async def describe(self) -> ModelDescription:
        """Read the served version's signature.

        Raises a `ModelError`: `ContractBroken` if the signature is not the model contract's.
        """
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.model
        with grpc_errors(self.model):
            response = await self._predictions.GetModelMetadata(request, timeout=self._deadline_s)
        signatures = SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        signature = signatures.signature_def.get(SIGNATURE)
        if signature is None or not _fits_contract(signature):
            raise ContractBroken(
                self.model,
                f"its signature {SIGNATURE!r} must take {INPUT} string [N] and return {OUTPUT} float32 [N, L]",
            )
        is_untrained = UNTRAINED in signature.outputs[OUTPUT].name
        return ModelDescription(self.model, response.model_spec.version.value, is_untrained)


def _fits_contract(signature: SignatureDef) -> bool:
    inputs = {name: tensor.dtype for name, tensor in signature.inputs.items()}
    return inputs == {INPUT: DT_STRING} and OUTPUT in signature.outputs and signature.outputs[OUTPUT].dtype == DT_FLOAT
