"""Predict over gRPC: what goes in and what comes out; what goes wrong is in test_wrong_requests."""

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

PAIR = np.array([[1, 2]], np.float32)
VALUES = {
    "bool": [[True], [False]],
    "string": [[b"\xff\x00"], [b""]],
    "complex64": [[1 + 2j], [-1j]],
    "complex128": [[1 + 2j], [-1j]],
    "half": [[1.5], [-2]],
    "bfloat16": [[1.5], [-2]],
}


def filtered(*aliases: str) -> PredictRequest:
    message = request("arithmetic", x=PAIR, y=PAIR)
    message.output_filter.extend(aliases)
    return message


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
    assert server.lines("process=tf-serving:m", "event=loading", "version=1")
    assert server.lines("process=tf-serving:m", "event=available", "version=1")
    assert [line for line in server.lines() if not line.startswith("at=")] == []
