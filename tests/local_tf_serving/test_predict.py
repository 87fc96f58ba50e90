"""Predict over gRPC: what goes in, what comes out, and the code of everything that can be wrong."""

from collections.abc import Callable

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.local_tf_serving.model_server import ModelServer, request
from tests.local_tf_serving.saved_models import ECHOED

INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

PAIR = np.array([[1, 2]], np.float32)
VALUES = {
    "bool": [[True], [False]],
    "string": [[b"\xff\x00"], [b""]],
    "complex64": [[1 + 2j], [-1j]],
    "complex128": [[1 + 2j], [-1j]],
    "half": [[1.5], [-2]],
    "bfloat16": [[1.5], [-2]],
}


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


def filtered(*aliases: str) -> PredictRequest:
    message = request("arithmetic", x=PAIR, y=PAIR)
    message.output_filter.extend(aliases)
    return message


def malformed(change: Callable[[tf.Tensor], object]) -> PredictRequest:
    message = request("arithmetic", x=PAIR, y=PAIR)
    change(message.inputs["x"])
    return message


def lengthen(tensor: tf.Tensor) -> None:
    tensor.tensor_content += b"1234"


def unname_type(tensor: tf.Tensor) -> None:
    tensor.dtype = 0


def turn_negative(tensor: tf.Tensor) -> None:
    tensor.tensor_shape.dim[0].size = -1


def grow_beyond_memory(tensor: tf.Tensor) -> None:
    tensor.tensor_content = b""
    tensor.tensor_shape.dim[0].size = 2**62


WRONG = {
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
    "no dtype": (malformed(unname_type), INVALID_ARGUMENT, "tensor parsing error: x"),
    "negative dimension": (malformed(turn_negative), INVALID_ARGUMENT, "tensor parsing error: x"),
    "more elements than memory": (malformed(grow_beyond_memory), INVALID_ARGUMENT, "tensor parsing error: x"),
    "wrong dtype": (
        request("arithmetic", x=PAIR, y=[b"1"]),
        INVALID_ARGUMENT,
        "Expects arg[1] to be float but string is provided",
    ),
    "shape the op can't take": (request(image_bytes=b"no list"), INVALID_ARGUMENT, ""),
    "no image": (request(image_bytes=[b"no image"]), INVALID_ARGUMENT, "Unknown image file format"),
    "empty image": (request(image_bytes=[b""]), INVALID_ARGUMENT, ""),
    "unknown output": (
        filtered("sum", "other"),
        INVALID_ARGUMENT,
        "output tensor alias not found in signature: other Outputs expected to be in the set {raw_bytes,sum,text}.",
    ),
    "output asked for twice": (filtered("sum", "sum"), INVALID_ARGUMENT, "duplicate output tensor alias: sum"),
}


@pytest.mark.parametrize(("message", "code", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_gets_tensorflow_servings_code(
    server: ModelServer, message: PredictRequest, code: grpc.StatusCode, text: str
) -> None:
    got, words = server.refusal(message)
    assert got is code
    assert text in words


def test_one_bad_image_fails_its_whole_batch(server: ModelServer, cat: bytes) -> None:
    code, _ = server.refusal(request(image_bytes=[cat, b"no image", cat]))
    assert code is INVALID_ARGUMENT


def test_a_truncated_image_is_an_invalid_argument(server: ModelServer, cat: bytes) -> None:
    code, _ = server.refusal(request(image_bytes=[cat[:3000]]))
    assert code is INVALID_ARGUMENT


def test_a_long_error_message_is_cut_at_1024_characters(server: ModelServer) -> None:
    code, words = server.refusal(request("number", text=[b"x" * 5000]))
    assert code is INVALID_ARGUMENT
    assert len(words) == 1024 + len("...TRUNCATED")
    assert words.endswith("xxx...TRUNCATED")


def test_an_image_is_scored(server: ModelServer, cat: bytes) -> None:
    response = server.predict(request(image_bytes=[cat, cat]))
    scores = tf.make_ndarray(response.outputs["scores"])
    image = tf.cast(tf.io.decode_jpeg(cat), tf.float32)
    np.testing.assert_allclose(scores, np.broadcast_to(tf.reduce_mean(image, axis=[0, 1]), (2, 3)), rtol=1e-4)


def test_the_response_names_the_model_the_version_and_the_signature(server: ModelServer, cat: bytes) -> None:
    answered = server.predict(request(image_bytes=[cat])).model_spec
    assert (answered.name, answered.version.value, answered.signature_name) == ("m", 1, "serving_default")
    asked = server.predict(request("arithmetic", version=1, x=PAIR, y=PAIR)).model_spec
    assert (asked.name, asked.version.value, asked.signature_name) == ("m", 1, "arithmetic")


def test_without_a_filter_every_output_comes(server: ModelServer) -> None:
    outputs = server.predict(request("arithmetic", x=PAIR, y=PAIR)).outputs
    assert {name: tf.make_ndarray(outputs[name]).tolist() for name in outputs} == {
        "sum": [[2, 4]],
        "text": [b"3.0"],
        "raw_bytes": [b"\xff3.0"],
    }


def test_with_a_filter_only_those_outputs_come(server: ModelServer) -> None:
    assert set(server.predict(filtered("text", "sum")).outputs) == {"text", "sum"}


def test_a_missing_input_with_a_default_takes_it(server: ModelServer) -> None:
    outputs = server.predict(request("defaults", x=PAIR)).outputs
    assert tf.make_ndarray(outputs["product"]).tolist() == [[10, 20]]
    outputs = server.predict(request("defaults", x=PAIR, factor=3.0)).outputs
    assert tf.make_ndarray(outputs["product"]).tolist() == [[3, 6]]


def test_a_shape_other_than_the_signatures_runs_if_the_ops_can(server: ModelServer) -> None:
    one_number = request("arithmetic", x=PAIR, y=np.array(1, np.float32))
    assert tf.make_ndarray(server.predict(one_number).outputs["sum"]).tolist() == [[2, 3]]


@pytest.mark.parametrize("name", ECHOED)
@pytest.mark.parametrize("form", ["content", "values"])
def test_every_dtype_is_read_in_both_forms_and_sent_in_typed_fields(server: ModelServer, name: str, form: str) -> None:
    value = np.array(VALUES.get(name, [[1], [2]]), ECHOED[name].as_numpy_dtype)
    tensor = tf.make_tensor_proto(value, ECHOED[name])
    if form == "values":
        server_like = server.predict(request(f"echo_{name}", value=tensor)).outputs["value"]
        assert not server_like.tensor_content
        tensor = server_like
    echoed = server.predict(request(f"echo_{name}", value=tensor)).outputs["value"]
    assert not echoed.tensor_content
    assert echoed.dtype == ECHOED[name].as_datatype_enum
    np.testing.assert_array_equal(tf.make_ndarray(echoed), value)


def test_fewer_values_than_elements_repeat_the_last(server: ModelServer) -> None:
    tensor = tf.make_tensor_proto([1.0, 2.0], shape=[2])
    tensor.ClearField("tensor_content")
    tensor.float_val[:] = [1, 2]
    tensor.tensor_shape.dim[0].size = 4
    echoed = server.predict(request("echo_float", value=tensor)).outputs["value"]
    assert list(echoed.float_val) == [1, 2, 2, 2]


def test_no_values_at_all_are_zeros(server: ModelServer) -> None:
    tensor = tf.make_tensor_proto([1, 2], tf.int32)
    tensor.ClearField("tensor_content")
    assert list(server.predict(request("echo_int32", value=tensor)).outputs["value"].int_val) == [0, 0]


def test_messages_beyond_grpcs_default_of_4_mib_pass_both_ways(server: ModelServer) -> None:
    large = b"x" * 9_000_000
    assert server.predict(request("echo_string", value=[large])).outputs["value"].string_val[0] == large


def test_a_call_without_a_deadline_is_answered(server: ModelServer) -> None:
    response = server.prediction.Predict(request("total", x=PAIR))
    assert tf.make_ndarray(response.outputs["total"]).tolist() == 3


@pytest.mark.parametrize("method", ["Classify", "Regress", "MultiInference"])
def test_what_is_not_served_is_unimplemented(server: ModelServer, method: str) -> None:
    types = {"Classify": ClassificationRequest, "Regress": RegressionRequest, "MultiInference": MultiInferenceRequest}
    with pytest.raises(grpc.RpcError) as caught:
        getattr(server.prediction, method)(types[method](), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reloading_the_configuration_is_unimplemented(server: ModelServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.model.HandleReloadConfigRequest(ReloadConfigRequest(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_log_says_what_happened_and_holds_nothing_of_tensorflows(server: ModelServer, cat: bytes) -> None:
    server.refusal(request(image_bytes=[cat[:3000]]))
    assert server.lines("process=tf-serving:m", "hop=loading", "version=1")
    assert server.lines("process=tf-serving:m", "hop=available", "version=1")
    assert [line for line in server.lines() if not line.startswith("at=")] == []
