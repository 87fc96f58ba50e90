"""Asks a model server how a model is."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import grpc
import grpc.aio

from tf_serving_client.errors import ContractBroken, from_rpc
from tf_serving_client.image_classifier import INPUT, OUTPUT, SIGNATURE
from tf_serving_client.protos import (
    DT_FLOAT,
    DT_STRING,
    GetModelMetadataRequest,
    GetModelStatusRequest,
    ModelServiceStub,
    ModelVersionStatus,
    PredictionServiceStub,
    SignatureDefMap,
)

UNTRAINED: Final = "untrained"
"""Part of the name that an export gives the graph tensor behind `scores` where the weights were never trained. The
tensor's name is the one thing an export can choose that TensorFlow Serving itself tells every client."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What the served version says of itself."""

    model: str
    version: int
    untrained: bool
    """Its labels mean nothing: the export had no trained weights and was told to go on without."""


class ModelStatus:
    def __init__(self, channel: grpc.aio.Channel, model: str, deadline: timedelta) -> None:
        self.model = model
        self._deadline_s = deadline.total_seconds()
        self._models = ModelServiceStub(channel)
        self._predictions = PredictionServiceStub(channel)

    async def is_available(self) -> bool:
        """True when some version of the model is AVAILABLE. False for everything else, an unreachable server too."""
        request = GetModelStatusRequest()
        request.model_spec.name = self.model
        try:
            response = await self._models.GetModelStatus(request, timeout=self._deadline_s)
        except grpc.RpcError:
            return False
        return any(version.state == ModelVersionStatus.AVAILABLE for version in response.model_version_status)

    async def describe(self) -> ModelDescription:
        """Read the served version's signature. Raises `ContractBroken` where it is not the model contract's."""
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.model
        try:
            response = await self._predictions.GetModelMetadata(request, timeout=self._deadline_s)
        except grpc.RpcError as error:
            raise from_rpc(self.model, error) from error
        signatures = SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        signature = signatures.signature_def.get(SIGNATURE)
        takes_images = signature is not None and {name: i.dtype for name, i in signature.inputs.items()} == {
            INPUT: DT_STRING
        }
        if not takes_images or OUTPUT not in signature.outputs or signature.outputs[OUTPUT].dtype != DT_FLOAT:
            raise ContractBroken(
                self.model, f"its signature {SIGNATURE!r} must take {INPUT} string [N] and give {OUTPUT} float32 [N, L]"
            )
        return ModelDescription(
            self.model, response.model_spec.version.value, UNTRAINED in signature.outputs[OUTPUT].name
        )
