from typing import Final

import grpc
import pytest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus

from tests.local_tf_serving.model_server import MODEL, ModelServer
from tests.local_tf_serving.saved_models import ECHOED

INVALID_ARGUMENT: Final = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND: Final = grpc.StatusCode.NOT_FOUND


def status_of(name: str | None = MODEL, version: int | None = None, label: str | None = None) -> GetModelStatusRequest:
    message = GetModelStatusRequest()
    if name is not None:
        message.model_spec.name = name
    if version is not None:
        message.model_spec.version.value = version
    if label is not None:
        message.model_spec.version_label = label
    return message


def metadata_of(*fields: str, name: str | None = MODEL, version: int | None = None) -> GetModelMetadataRequest:
    message = GetModelMetadataRequest(metadata_field=fields)
    if name is not None:
        message.model_spec.name = name
    if version is not None:
        message.model_spec.version.value = version
    return message


@pytest.mark.parametrize("message", [status_of(), status_of(version=1), status_of(label="ignored")])
def test_an_available_version_is_listed_with_an_ok_status(server: ModelServer, message: GetModelStatusRequest) -> None:
    (status,) = server.model.GetModelStatus(message, timeout=10).model_version_status
    assert (status.version, status.state) == (1, ModelVersionStatus.AVAILABLE)
    assert (status.status.error_code, status.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (status_of(name=None), INVALID_ARGUMENT, "Missing ModelSpec"),
        (status_of(name="other"), NOT_FOUND, "Could not find any versions of model other"),
        (status_of(version=7), NOT_FOUND, "Could not find version 7 of model m"),
    ],
)
def test_the_status_of_an_unknown_model_or_version_is_an_error(
    server: ModelServer, message: GetModelStatusRequest, code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.model.GetModelStatus(message, timeout=10)
    assert (caught.value.code(), caught.value.details()) == (code, text)


@pytest.mark.parametrize("version", [None, 1])
def test_metadata_contains_every_signature_of_the_saved_model(server: ModelServer, version: int | None) -> None:
    response = server.prediction.GetModelMetadata(metadata_of("signature_def", version=version), timeout=10)
    assert (response.model_spec.name, response.model_spec.version.value) == ("m", 1)
    assert response.model_spec.signature_name == ""
    signatures = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    names = {"serving_default", "arithmetic", "total", "uneven", "defaults", "version", "number", "block", "loop"}
    assert set(signatures.signature_def) == names | {f"echo_{name}" for name in ECHOED}
    image = signatures.signature_def["serving_default"].inputs["image_bytes"]
    assert (image.dtype, [dim.size for dim in image.tensor_shape.dim]) == (7, [-1])


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (metadata_of("signature_def", name=None), INVALID_ARGUMENT, "Missing ModelSpec"),
        (
            metadata_of(name="other"),
            INVALID_ARGUMENT,
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (metadata_of("signature_def", "x"), INVALID_ARGUMENT, "Metadata field x is not supported"),
        (metadata_of("signature_def", name=""), INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (metadata_of("signature_def", name="other"), NOT_FOUND, "Servable not found for request: Latest(other)"),
        (metadata_of("signature_def", version=7), NOT_FOUND, "Servable not found for request: Specific(m, 7)"),
    ],
)
def test_metadata_fields_are_checked_before_the_model(
    server: ModelServer, message: GetModelMetadataRequest, code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.prediction.GetModelMetadata(message, timeout=10)
    assert (caught.value.code(), caught.value.details()) == (code, text)
