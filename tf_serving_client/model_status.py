"""Queries a model server for the state and the signatures of a model."""

from collections.abc import Sequence
from datetime import timedelta

import grpc
import grpc.aio

from tf_serving_client.contract import ModelDescription
from tf_serving_client.errors import ModelError, ModelUnavailable, grpc_errors
from tf_serving_client.protos import (
    GetModelMetadataRequest,
    GetModelStatusRequest,
    ModelServiceStub,
    ModelVersionStatus,
    PredictionServiceStub,
    SignatureDefMap,
)


class ModelStatus:
    def __init__(self, channel: grpc.aio.Channel, model: str, deadline: timedelta) -> None:
        self.model = model
        self._deadline_s = deadline.total_seconds()
        self._models = ModelServiceStub(channel)
        self._predictions = PredictionServiceStub(channel)

    async def is_available(self) -> bool:
        """Return True if some version of the model is AVAILABLE, and False for an unreachable server."""
        try:
            return any(version.state == ModelVersionStatus.AVAILABLE for version in await self.versions())
        except ModelError:
            return False

    async def versions(self) -> Sequence[ModelVersionStatus]:
        """Return the states of all versions, newest first; none if the server has no such model.

        Raises a `ModelError`.
        """
        request = GetModelStatusRequest()
        request.model_spec.name = self.model
        try:
            with grpc_errors(self.model):
                response = await self._models.GetModelStatus(request, timeout=self._deadline_s)
        except ModelUnavailable as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return ()
            raise
        statuses: Sequence[ModelVersionStatus] = response.model_version_status
        return statuses

    async def describe(self) -> ModelDescription:
        """Read the served version's signatures. Raises a `ModelError`."""
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.model
        with grpc_errors(self.model):
            response = await self._predictions.GetModelMetadata(request, timeout=self._deadline_s)
        signatures = SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return ModelDescription(response.model_spec.version.value, signatures.signature_def)
