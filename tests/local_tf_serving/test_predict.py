"""Predict over gRPC. Its errors are in test_wrong_requests."""

from typing import Final

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.local_tf_serving.model_server import PAIR, ModelServer, filtered, request
from tests.local_tf_serving.saved_models import ECHOED

VALUES: Final = {
    "bool": [[True], [False]],
    "string": [[b"\xff\x00"], [b""]],
    "complex64": [[1 + 2j], [-1j]],
    "complex128": [[1 + 2j], [-1j]],
    "half": [[1.5], [-2]],
    "bfloat16": [[1.5], [-2]],
}


def test_an_image_is_scored(server: ModelServer, cat: bytes) -> None:
    response = server.predict(request(image_bytes=[cat, cat]))
    scores = tf.make_ndarray(response.outputs["scores"])
    image = tf.cast(tf.io.decode_jpeg(cat), tf.float32)
    np.testing.assert_allclose(scores, np.broadcast_to(tf.reduce_mean(image, axis=[0, 1]), (2, 3)), rtol=1e-4)


def test_the_response_names_the_model_the_version_and_the_signature(server: ModelServer, cat: bytes) -> None:
    default = server.predict(request(image_bytes=[cat])).model_spec
    assert (default.name, default.version.value, default.signature_name) == ("m", 1, "serving_default")
    named = server.predict(request("arithmetic", version=1, x=PAIR, y=PAIR)).model_spec
    assert (named.name, named.version.value, named.signature_name) == ("m", 1, "arithmetic")


def test_without_a_filter_the_response_has_every_output(server: ModelServer) -> None:
    outputs = server.predict(request("arithmetic", x=PAIR, y=PAIR)).outputs
    assert {name: tf.make_ndarray(outputs[name]).tolist() for name in outputs} == {
        "sum": [[2, 4]],
        "text": [b"3.0"],
        "raw_bytes": [b"\xff3.0"],
    }


def test_with_a_filter_the_response_has_only_its_outputs(server: ModelServer) -> None:
    assert set(server.predict(filtered("text", "sum")).outputs) == {"text", "sum"}


def test_the_default_replaces_a_missing_input(server: ModelServer) -> None:
    outputs = server.predict(request("defaults", x=PAIR)).outputs
    assert tf.make_ndarray(outputs["product"]).tolist() == [[10, 20]]
    outputs = server.predict(request("defaults", x=PAIR, factor=3.0)).outputs
    assert tf.make_ndarray(outputs["product"]).tolist() == [[3, 6]]


def test_a_shape_that_differs_from_the_signature_runs_if_the_ops_accept_it(server: ModelServer) -> None:
    scalar = request("arithmetic", x=PAIR, y=np.array(1, np.float32))
    assert tf.make_ndarray(server.predict(scalar).outputs["sum"]).tolist() == [[2, 3]]


@pytest.mark.parametrize("name", ECHOED)
@pytest.mark.parametrize("form", ["content", "values"])
def test_every_dtype_is_read_in_both_forms_and_written_in_typed_fields(
    server: ModelServer, name: str, form: str
) -> None:
    value = np.array(VALUES.get(name, [[1], [2]]), ECHOED[name].as_numpy_dtype)
    tensor = tf.make_tensor_proto(value, ECHOED[name])
    if form == "values":
        tensor = server.predict(request(f"echo_{name}", value=tensor)).outputs["value"]
        assert not tensor.tensor_content
    echoed = server.predict(request(f"echo_{name}", value=tensor)).outputs["value"]
    assert not echoed.tensor_content
    assert echoed.dtype == ECHOED[name].as_datatype_enum
    np.testing.assert_array_equal(tf.make_ndarray(echoed), value)


def test_the_last_value_is_repeated_if_there_are_fewer_than_elements(server: ModelServer) -> None:
    tensor = tf.make_tensor_proto([1.0, 2.0], shape=[2])
    tensor.ClearField("tensor_content")
    tensor.float_val[:] = [1, 2]
    tensor.tensor_shape.dim[0].size = 4
    echoed = server.predict(request("echo_float", value=tensor)).outputs["value"]
    assert list(echoed.float_val) == [1, 2, 2, 2]


def test_elements_are_zeros_if_there_are_no_values(server: ModelServer) -> None:
    tensor = tf.make_tensor_proto([1, 2], tf.int32)
    tensor.ClearField("tensor_content")
    assert list(server.predict(request("echo_int32", value=tensor)).outputs["value"].int_val) == [0, 0]


def test_requests_and_responses_may_exceed_the_4_mib_default_of_grpc(server: ModelServer) -> None:
    large = b"x" * 9_000_000
    assert server.predict(request("echo_string", value=[large])).outputs["value"].string_val[0] == large


def test_a_call_without_a_deadline_succeeds(server: ModelServer) -> None:
    response = server.prediction.Predict(request("total", x=PAIR))
    assert tf.make_ndarray(response.outputs["total"]).tolist() == 3


@pytest.mark.parametrize("method", ["Classify", "Regress", "MultiInference", "HandleReloadConfigRequest"])
def test_other_methods_are_unimplemented(server: ModelServer, method: str) -> None:
    types = {"Classify": ClassificationRequest, "Regress": RegressionRequest, "MultiInference": MultiInferenceRequest}
    stub = server.prediction if method in types else server.model
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub, method)(types.get(method, ReloadConfigRequest)(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_log_has_the_lines_of_the_server_and_none_of_tensorflow(server: ModelServer, cat: bytes) -> None:
    server.predict_error(request(image_bytes=[cat[:3000]]))
    assert server.log_lines("process=tf-serving:m", 'event="version loading"', "version=1")
    assert server.log_lines("process=tf-serving:m", 'event="version available"', "version=1")
    assert [line for line in server.log_lines() if not line.startswith("at=")] == []
