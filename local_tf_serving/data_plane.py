"""What a request means, whichever protocol brought it: gRPC and REST translate to these calls and back."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

from structlog.typing import FilteringBoundLogger
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from local_tf_serving.errors import Code, InvalidArgument, ServingError
from local_tf_serving.predictor import Predictor
from local_tf_serving.servables import Servables

METADATA_FIELD = "signature_def"
"""The only metadata there is (servables/tensorflow/get_model_metadata_impl.cc)."""


class DataPlane:
    """Every method raises ServingError, and may be called from any thread."""

    def __init__(self, servables: Servables, log: FilteringBoundLogger) -> None:
        self._servables = servables
        self._log = log

    def predict(self, request: PredictRequest, timeout: float | None) -> PredictResponse:
        """Blocks until the model has answered, `timeout` seconds at most, and logs a line at DEBUG."""
        start = time.perf_counter()
        code = Code.OK
        try:
            with self._use(_model_spec(request)) as (version, predictor):
                response = predictor.predict(request, timeout)
        except ServingError as error:
            code = error.code
            raise
        finally:
            milliseconds = round((time.perf_counter() - start) * 1000, 3)
            self._log.debug("predict", model=request.model_spec.name, code=code.name, ms=milliseconds)
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        return response

    def input_types(self, model_spec: ModelSpec) -> Mapping[str, int]:
        """DataType of each input alias of the signature `model_spec` names."""
        with self._use(model_spec) as (_, predictor):
            return predictor.input_types(model_spec.signature_name)

    def get_model_metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        model_spec = _model_spec(request)
        if not request.metadata_field:
            raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != METADATA_FIELD:
                raise InvalidArgument(f"Metadata field {field} is not supported")
        response = GetModelMetadataResponse()
        with self._use(model_spec) as (version, predictor):
            response.metadata[METADATA_FIELD].Pack(SignatureDefMap(signature_def=predictor.servable.signature_defs))
        response.model_spec.name = model_spec.name
        response.model_spec.version.value = version
        return response

    def get_model_status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """A version label is ignored, as TensorFlow Serving ignores it."""
        model_spec = _model_spec(request)
        number = model_spec.version.value if model_spec.HasField("version") else None
        response = GetModelStatusResponse()
        for version in self._servables.statuses(model_spec.name, number):
            status = response.model_version_status.add(version=version.number, state=int(version.state))
            status.status.error_code = version.error.code if version.error else Code.OK
            status.status.error_message = version.error.message if version.error else ""
        return response

    def _use(self, model_spec: ModelSpec) -> AbstractContextManager[tuple[int, Predictor]]:
        if not model_spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        choice = model_spec.WhichOneof("version_choice")
        if choice == "version_label":  # labels are set in a model config file, which this server has none of
            raise InvalidArgument(f"Unrecognized servable version label: {model_spec.version_label}")
        return self._servables.use(model_spec.name, model_spec.version.value if choice == "version" else None)


def _model_spec(request: PredictRequest | GetModelMetadataRequest | GetModelStatusRequest) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgument("Missing ModelSpec")
    return request.model_spec
