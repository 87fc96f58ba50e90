"""The code and the text of each error of Predict."""

from collections.abc import Callable
from typing import Final

import grpc
import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tests.local_tf_serving.model_server import PAIR, ModelServer, filtered, request

INVALID_ARGUMENT: Final = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND: Final = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION: Final = grpc.StatusCode.FAILED_PRECONDITION


def without_model_spec() -> PredictRequest:
    message = request("arithmetic", x=PAIR, y=PAIR)
    message.ClearField("model_spec")
    return message


def named(name: str) -> PredictRequest:
    message = request("arithmetic", x=PAIR, y=PAIR)
    message.model_spec.name = name
    return message


def labelled(label: str) -> PredictRequest:
    message = request("arithmetic", x=PAIR, y=PAIR)
    message.model_spec.version_label = label
    return message


def malformed(change: Callable[[TensorProto], object]) -> PredictRequest:
    message = request("arithmetic", x=PAIR, y=PAIR)
    change(message.inputs["x"])
    return message


def lengthen(tensor: TensorProto) -> None:
    tensor.tensor_content += b"1234"


def clear_dtype(tensor: TensorProto) -> None:
    tensor.dtype = 0


def negate_dimension(tensor: TensorProto) -> None:
    tensor.tensor_shape.dim[0].size = -1


def exceed_memory(tensor: TensorProto) -> None:
    tensor.tensor_content = b""
    tensor.tensor_shape.dim[0].size = 2**62


WRONG: Final = {
    "no model spec": (without_model_spec(), INVALID_ARGUMENT, "Missing ModelSpec"),
    "no name": (named(""), INVALID_ARGUMENT, "ModelSpec has no name specified."),
    "unknown model": (named("other"), NOT_FOUND, "Servable not found for request: Latest(other)"),
    "unknown version": (request(version=7), NOT_FOUND, "Servable not found for request: Specific(m, 7)"),
    "unknown label": (labelled("canary"), INVALID_ARGUMENT, "Unrecognized servable version label: canary"),
    "unknown signature": (request("other"), FAILED_PRECONDITION, 'Serving signature key "other" not found.'),
    "missing input": (
        request("arithmetic", y=PAIR),
        INVALID_ARGUMENT,
        "input size does not match signature: 1!=2 len({y}) != len({x,y}). Sent extra: {}. Missing but required: {x}.",
    ),
    "extra input": (
        request("arithmetic", x=PAIR, y=PAIR, z=PAIR),
        INVALID_ARGUMENT,
        "input size does not match signature: 3!=2 len({x,y,z}) != len({x,y}). "
        "Sent extra: {z}. Missing but required: {}.",
    ),
    "misnamed input": (
        request("arithmetic", x=PAIR, z=PAIR),
        INVALID_ARGUMENT,
        ") not found in request and no default value provided. "
        "Inputs expected to be in the request {x,z}, or default input alias set: ",
    ),
    "misnamed input beside a default": (
        request("defaults", x=PAIR, other=PAIR),
        INVALID_ARGUMENT,
        "Inputs contains invalid name. Used request inputs: x, request input: other,x",
    ),
    "too much tensor content": (malformed(lengthen), INVALID_ARGUMENT, "tensor parsing error: x"),
    "no dtype": (malformed(clear_dtype), INVALID_ARGUMENT, "tensor parsing error: x"),
    "negative dimension": (malformed(negate_dimension), INVALID_ARGUMENT, "tensor parsing error: x"),
    "more elements than memory": (malformed(exceed_memory), INVALID_ARGUMENT, "tensor parsing error: x"),
    "wrong dtype": (
        request("arithmetic", x=PAIR, y=[b"1"]),
        INVALID_ARGUMENT,
        "Expects arg[1] to be float but string is provided",
    ),
    "shape that the op rejects": (request(image_bytes=b"no list"), INVALID_ARGUMENT, ""),
    "not an image": (request(image_bytes=[b"no image"]), INVALID_ARGUMENT, "Unknown image file format"),
    "empty image": (request(image_bytes=[b""]), INVALID_ARGUMENT, ""),
    "unknown output": (
        filtered("sum", "other"),
        INVALID_ARGUMENT,
        "output tensor alias not found in signature: other Outputs expected to be in the set {raw_bytes,sum,text}.",
    ),
    "duplicate output": (filtered("sum", "sum"), INVALID_ARGUMENT, "duplicate output tensor alias: sum"),
}


@pytest.mark.parametrize(("message", "code", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_gets_the_error_of_tensorflow_serving(
    server: ModelServer, message: PredictRequest, code: grpc.StatusCode, text: str
) -> None:
    actual_code, details = server.predict_error(message)
    assert actual_code is code
    assert text in details


def test_one_invalid_image_fails_its_whole_batch(server: ModelServer, cat: bytes) -> None:
    code, _ = server.predict_error(request(image_bytes=[cat, b"no image", cat]))
    assert code is INVALID_ARGUMENT


def test_a_truncated_image_is_an_invalid_argument(server: ModelServer, cat: bytes) -> None:
    code, _ = server.predict_error(request(image_bytes=[cat[:3000]]))
    assert code is INVALID_ARGUMENT


def test_a_long_error_message_is_cut_at_1024_characters(server: ModelServer) -> None:
    code, details = server.predict_error(request("number", text=[b"x" * 5000]))
    assert code is INVALID_ARGUMENT
    assert len(details) == 1024 + len("...TRUNCATED")
    assert details.endswith("xxx...TRUNCATED")
