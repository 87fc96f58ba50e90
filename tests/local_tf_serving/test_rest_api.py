"""REST: paths, JSON, status codes, and the same results and errors as over gRPC."""

import base64
import json
import math
from typing import Any, Final

import httpx
import numpy as np
import pytest
import tensorflow as tf

from tests.local_tf_serving.model_server import ModelServer, request

AVAILABLE: Final = {
    "model_version_status": [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
}


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def body(signature: str, **content: Any) -> dict[str, Any]:
    return {"signature_name": signature, **content}


def error(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    return response.status_code, response.json()["error"]


@pytest.mark.parametrize(
    "path", ["/v1/models/m", "/v1/models/m/versions/1", "/V1/Models/m/Versions/1", "/v1/models/%6D"]
)
def test_every_form_of_the_status_path_returns_the_status(server: ModelServer, path: str) -> None:
    response = server.http.get(path)
    assert (response.status_code, response.json()) == (200, AVAILABLE)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/v1/models/m/metadata", "/v1/models/m/versions/1/metadata", "/V1/MODELS/m/METADATA"])
def test_metadata_has_the_field_names_and_defaults_of_the_protos(server: ModelServer, path: str) -> None:
    response = server.http.get(path)
    assert response.status_code == 200
    assert response.json()["model_spec"] == {"name": "m", "signature_name": "", "version": "1"}
    signature = response.json()["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    (image,) = signature["inputs"].values()
    assert image["dtype"] == "DT_STRING"
    assert image["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/models", (400, "Missing model name in request.")),
        ("GET", "/v1/models/other", (404, "Could not find any versions of model other")),
        ("GET", "/v1/models/m/versions/7", (404, "Could not find version 7 of model m")),
        ("GET", f"/v1/models/m/versions/{2**63}", (400, f"Failed to convert version: {2**63} to numeric.")),
        ("GET", "/v1/models/other/metadata", (404, "Servable not found for request: Latest(other)")),
        ("GET", "/v1/models/m:predict", (400, "Malformed request: GET /v1/models/m:predict")),
        ("POST", "/v1/models/m", (400, "Malformed request: POST /v1/models/m")),
        ("DELETE", "/v1/models/m", (400, "Malformed request: DELETE /v1/models/m")),
        ("GET", "/v1/elsewhere", (400, "Malformed request: GET /v1/elsewhere")),
        ("POST", "/v1/models/m:classify", (501, "classify is not supported: use predict")),
        ("POST", "/v1/models/m:regress", (501, "regress is not supported: use predict")),
    ],
)  # fmt: skip
def test_a_wrong_path_gets_the_error_of_tensorflow_serving(
    server: ModelServer, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert error(server.http.request(method, path)) == expected


@pytest.mark.parametrize("path", ["/", "/v2/models/m", "/v1"])
def test_a_path_outside_the_api_is_not_found_and_not_json(server: ModelServer, path: str) -> None:
    response = server.http.get(path)
    assert response.status_code == 404
    assert "json" not in response.headers["content-type"]


def test_instances_return_predictions(server: ModelServer) -> None:
    rows = [{"x": [1, 2], "y": [3, 4]}, {"x": [0.5, 0], "y": [0, 0]}]
    assert server.predict_json(body("arithmetic", instances=rows)).json() == {
        "predictions": [
            {"raw_bytes": b64(b"\xff3.0"), "sum": [4.0, 6.0], "text": "3.0"},
            {"raw_bytes": b64(b"\xff0.5"), "sum": [0.5, 0.0], "text": "0.5"},
        ]
    }


def test_outputs_without_a_common_batch_size_need_the_column_form(server: ModelServer) -> None:
    rows = [[1, 2], [3, 4]]
    scalar = server.predict_json(body("total", instances=rows))
    assert error(scalar) == (400, "Tensor name: total has no shape information ")
    uneven = server.predict_json(body("uneven", instances=rows))
    assert error(uneven) == (400, "Tensor name: one has inconsistent batch size: 1 expecting: 2")
    assert server.predict_json(body("total", inputs=rows)).json() == {"outputs": 10.0}
    assert server.predict_json(body("uneven", inputs=rows)).json() == {
        "outputs": {"double": [[2.0, 4.0], [6.0, 8.0]], "one": [1.0]}
    }


def test_a_single_input_and_a_single_output_need_no_name(server: ModelServer) -> None:
    response = server.predict_json({"signature_name": "echo_float", "instances": [[1, 2], [0.1, 3e-7]]})
    assert response.json() == {"predictions": [[1.0, 2.0], [0.1, 3e-07]]}
    assert response.text == '{"predictions":[[1.0,2.0],[0.1,3e-07]]}'
    named = server.predict_json({"signature_name": "echo_float", "instances": [{"value": [1]}, {"value": [2]}]})
    assert named.json() == {"predictions": [[1.0], [2.0]]}


def test_inputs_return_outputs(server: ModelServer) -> None:
    inputs = {"x": [[1, 2]], "y": [[3, 4]], "extra": "ignored"}
    response = server.predict_json({"signature_name": "arithmetic", "inputs": inputs})
    assert response.json() == {
        "outputs": {
            "raw_bytes": [b64(b"\xff3.0")],
            "sum": [[4.0, 6.0]],
            "text": ["3.0"],
        }
    }


def test_a_single_column_needs_no_name(server: ModelServer) -> None:
    for inputs in ([[1.5], [2]], {"value": [[1.5], [2]]}):
        response = server.predict_json({"signature_name": "echo_float", "inputs": inputs})
        assert response.json() == {"outputs": [[1.5], [2.0]]}
    assert server.predict_json({"signature_name": "echo_int64", "inputs": 2**62}).json() == {"outputs": 2**62}


@pytest.mark.parametrize("path", ["/v1/models/m", "/V1/MODELS/m/versions/1"])
def test_an_image_in_base64_is_scored_as_over_grpc(server: ModelServer, cat: bytes, path: str) -> None:
    over_grpc = tf.make_ndarray(server.predict(request(image_bytes=[cat])).outputs["scores"]).tolist()
    rows = server.predict_json({"instances": [b64(cat)]}, path).json()
    named = server.predict_json({"instances": [{"image_bytes": b64(cat)}]}, path).json()
    columns = server.predict_json({"inputs": {"image_bytes": [b64(cat)]}}, path).json()
    assert rows == named == {"predictions": columns["outputs"]}
    np.testing.assert_array_equal(np.array(rows["predictions"], np.float32), np.array(over_grpc, np.float32))


def test_base64_is_read_for_any_string_input_and_written_only_for_outputs_named_bytes(server: ModelServer) -> None:
    body = {"signature_name": "echo_string", "instances": [b64(b"a b"), "plain", {"b64": " YSBi\n"}, {"b64": "YQ"}]}
    assert server.predict_json(body).json() == {"predictions": ["a b", "plain", "a b", "a"]}


def test_a_string_that_is_not_utf8_is_returned_unchanged(server: ModelServer) -> None:
    response = server.predict_json({"signature_name": "echo_string", "instances": [b64(b'\xff\x00"')]})
    assert response.content == b'{"predictions":["\xff\\u0000\\""]}'


def test_nan_and_infinity_are_read_and_written(server: ModelServer) -> None:
    body = '{"signature_name": "echo_double", "inputs": [NaN, Infinity, -Infinity, 0.1]}'
    response = server.http.post("/v1/models/m:predict", content=body)
    assert response.text == '{"outputs":[NaN,Infinity,-Infinity,0.1]}'
    assert math.isnan(json.loads(response.text)["outputs"][0])


@pytest.mark.parametrize(
    ("signature", "value"),
    [("echo_int8", -3), ("echo_uint8", 200), ("echo_int16", -3), ("echo_int32", -3), ("echo_int64", -(2**63)),
     ("echo_uint32", 2**32 - 1), ("echo_uint64", 2**64 - 1), ("echo_bool", True), ("echo_double", 0.1),
     ("echo_string", "ünï")],
)  # fmt: skip
def test_a_value_of_each_dtype_is_returned_unchanged(server: ModelServer, signature: str, value: Any) -> None:
    assert server.predict_json({"signature_name": signature, "instances": [value]}).json() == {"predictions": [value]}


@pytest.mark.parametrize(
    ("content", "status", "text"),
    [
        ("", 400, "JSON Parse error: The document is empty"),
        ("{", 400, "JSON Parse error: "),
        ('"\udcff"', 400, "JSON Parse error: "),
        ("[" * 100_000, 400, "JSON Parse error: "),
        ('{"signature_name": "\\ud800"}', 400, "JSON Parse error: "),
        ('{"signature_name": 1' + '0' * 5000 + '}', 400, "JSON Parse error: "),
        ('{"signature_name": 3, "x": ' + "[" * 960 + "]" * 960 + '}', 400, "must be a string value."),
        ('{"instances": ' + "[" * 960 + "]" * 960 + '}', 400, "Encountered list at unexpected level: 254"),
        ("[]", 400, "Is not object"),
        ("{}", 400, "Missing 'inputs' or 'instances' key"),
        ({"signature_name": 3, "instances": [1]}, 400, "'signature_name' key must be a string value."),
        (body("other", instances=[1]), 400, 'Serving signature name: "other" not found in signature def'),
        (body("echo_float", instances=[1], inputs=[1]), 400, "expecting only one of 'inputs' or 'instances' keys"),
        (body("echo_float", instances=1), 400, "Excepting 'instances' to be an list/array"),
        (body("echo_float", instances=[]), 400, "No values in 'instances' array"),
        (body("echo_float", instances=[[1], 2]), 400, "Expecting shape [1] but got: []"),
        (body("echo_float", instances=[[1], [1, 2]]), 400, "Expecting tensor size: 1 but got: 2"),
        (body("echo_float", instances=[[[1, 2]], [[1], [2]]]), 400, "Expecting shape [1,2] but got: [2,1]"),
        (body("echo_float", instances=[[[1], 2]]), 400, "found at incorrect level: 2 in the JSON DOM"),
        (body("echo_float", instances=[[1, [2]]]), 400, "Encountered list at unexpected level: 1 expected < 1"),
        (body("echo_float", instances=[[[1], [2, 3]]]), 400, "Encountered list at unexpected size: 2 at level: 1"),
        (body("echo_float", instances=[{"value": 1}, 2]), 400, "Expecting object but got list at item 1"),
        (body("echo_float", instances=[1, {"value": 2}]), 400, "Expecting value/list but got object at item 1"),
        (body("echo_float", instances=[{"v": 1}]), 400, "JSON object: does not have named input: v"),
        (body("arithmetic", instances=[{"x": [1, 2]}]), 400, "keys must be equal to: x,y"),
        (body("arithmetic", instances=[[1, 2]]), 400, "instances is a plain list, but expecting list of objects"),
        (body("arithmetic", inputs=[[1, 2]]), 400, "inputs is a plain value/list, but expecting an object"),
        (body("arithmetic", inputs={"x": [[1, 2]]}), 400, "Missing named input: y in 'inputs' object."),
        (body("echo_float", instances=["1"]), 400, "Type: String is not of expected type: float"),
        (body("echo_float", instances=[True]), 400, "is not of expected type: float"),
        (body("echo_float", instances=[2**24]), 400, "to float without loss of precision."),
        (body("echo_float", inputs=[1e39]), 400, "to float without loss of precision."),
        (body("echo_int32", instances=[1.0]), 400, "Type: Number is not of expected type: int32"),
        (body("echo_int32", instances=[2**31]), 400, "is not of expected type: int32"),
        (body("echo_bool", instances=[1]), 400, "is not of expected type: bool"),
        (body("echo_string", instances=[1]), 400, "is not of expected type: string"),
        (body("echo_string", instances=[{"b64": "?"}]), 400, "Unable to base64 decode"),
        (body("echo_string", inputs=[{"b64": 1}]), 400, "not formatted correctly for base64 data"),
        (body("echo_half", instances=[1]), 400, "to type: half"),
        (body("echo_half", inputs=[1]), 501, "to type: half"),
        (body("echo_uint16", inputs=[1]), 501, "to type: uint16"),
        (body("serving_default", instances=["no image"]), 400, "Unknown image file format"),
        (body("number", instances=["x" * 5000]), 400, "x" * 5000),
    ],
)  # fmt: skip
def test_a_wrong_body_gets_the_error_of_tensorflow_serving(
    server: ModelServer, content: Any, status: int, text: str
) -> None:
    if isinstance(content, str):
        response = server.http.post("/v1/models/m:predict", content=content.encode(errors="surrogateescape"))
    else:
        response = server.predict_json(content)
    actual_status, message = error(response)
    assert actual_status == status
    assert text in message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models/other", (404, "Servable not found for request: Latest(other)")),
        ("/v1/models/m/versions/7", (404, "Servable not found for request: Specific(m, 7)")),
        ("/v1/models/m/labels/canary", (400, "Unrecognized servable version label: canary")),
    ],
)
def test_a_prediction_of_an_unknown_model_is_an_error(
    server: ModelServer, path: str, expected: tuple[int, str]
) -> None:
    assert error(server.predict_json({"instances": [1]}, path)) == expected


def test_an_op_error_has_the_same_text_in_both_apis(server: ModelServer) -> None:
    _, details = server.predict_error(request(image_bytes=[b"no image"]))
    assert error(server.predict_json({"instances": ["no image"]})) == (400, details)
