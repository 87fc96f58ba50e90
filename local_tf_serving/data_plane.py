"""Implements the API's methods for both protocols: gRPC and REST translate their requests to these calls."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final

from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

import service_log
from local_tf_serving.errors import Code, InvalidArgument, ServingError
from local_tf_serving.predictor import Predictor
from local_tf_serving.servables import Servables

METADATA_FIELD: Final = "signature_def"
"""The only metadata field that exists (servables/tensorflow/get_model_metadata_impl.cc)."""


class DataPlane:
    """Every method raises ServingError and may be called from any thread."""

    def __init__(self, servables: Servables) -> None:
        self._servables = servables

    def predict(self, request: PredictRequest, timeout: timedelta | None) -> PredictResponse:
        """Block until the model has computed the outputs, for `timeout` at most."""
        start = time.perf_counter()
        code = Code.OK
        try:
            with self._servable_handle(_model_spec(request)) as (version, predictor):
                response = predictor.predict(request, timeout)
        except ServingError as error:
            code = error.code
            raise
        finally:
            milliseconds = round((time.perf_counter() - start) * 1000, 3)
            service_log.get_logger().debug(
                "predict finished", model=request.model_spec.name, code=code.name, ms=milliseconds
            )
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        return response

    def input_types(self, model_spec: ModelSpec) -> Mapping[str, int]:
        """The DataType of each input alias of the signature that `model_spec` names."""
        with self._servable_handle(model_spec) as (_, predictor):
            return predictor.input_types(model_spec.signature_name)

    def get_model_metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        model_spec = _model_spec(request)
        if not request.metadata_field:
            raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != METADATA_FIELD:
                raise InvalidArgument(f"Metadata field {field} is not supported")
        response = GetModelMetadataResponse()
        with self._servable_handle(model_spec) as (version, predictor):
            response.metadata[METADATA_FIELD].Pack(SignatureDefMap(signature_def=predictor.servable.signature_defs))
        response.model_spec.name = model_spec.name
        response.model_spec.version.value = version
        return response

    def get_model_status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """A version label is ignored, as in TensorFlow Serving."""
        model_spec = _model_spec(request)
        number = model_spec.version.value if model_spec.HasField("version") else None
        response = GetModelStatusResponse()
        for version in self._servables.statuses(model_spec.name, number):
            status = response.model_version_status.add(version=version.number, state=int(version.state))
            status.status.error_code = version.error.code if version.error else Code.OK
            status.status.error_message = version.error.message if version.error else ""
        return response

    def _servable_handle(self, model_spec: ModelSpec) -> AbstractContextManager[tuple[int, Predictor]]:
        if not model_spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        choice = model_spec.WhichOneof("version_choice")
        if choice == "version_label":  # labels are defined in a model config file, which this server does not support
            raise InvalidArgument(f"Unrecognized servable version label: {model_spec.version_label}")
        return self._servables.servable_handle(
            model_spec.name, model_spec.version.value if choice == "version" else None
        )


def _model_spec(request: PredictRequest | GetModelMetadataRequest | GetModelStatusRequest) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgument("Missing ModelSpec")
    return request.model_spec
