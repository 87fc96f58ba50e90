"""Reads the body of a REST `:predict` into a PredictRequest, by the rules of util/json_tensor.cc."""

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from tensorflow_serving.apis.predict_pb2 import PredictRequest

from local_tf_serving.errors import InvalidArgument, ServingError
from local_tf_serving.json_tensor import JsonTensor, is_base64, show

SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
InputTypes = Callable[[str], Mapping[str, int]]
"""Returns the DataType of each input alias of a signature; an empty name means the default signature."""


class Layout(Enum):
    """The layout of the tensors in the request and the response; the value is the response's key."""

    ROW = "predictions"  # requested with "instances"
    COLUMN = "outputs"  # requested with "inputs"


def read(body: bytes, input_types: InputTypes, request: PredictRequest) -> Layout:
    """Fill the inputs and the signature name of `request`. Raises ServingError."""
    document = _parse(body)
    signature_name = document.get("signature_name", "")
    if not isinstance(signature_name, str):
        raise InvalidArgument(
            f"JSON Value: {show(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    request.model_spec.signature_name = signature_name
    types = input_types(signature_name)
    if not types:
        raise InvalidArgument(f"Failed to get input map for signature: {signature_name or 'DEFAULT'}")
    if "instances" in document and "inputs" in document:
        raise InvalidArgument(
            f"JSON Value: {show(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys "
            "to exist "
        )
    if "instances" in document:
        _read_rows(document["instances"], types, request)
        return Layout.ROW
    if "inputs" in document:
        _read_columns(document["inputs"], types, request)
        return Layout.COLUMN
    raise InvalidArgument("Missing 'inputs' or 'instances' key")


def _parse(body: bytes) -> dict[str, Any]:
    if not body:
        raise InvalidArgument("JSON Parse error: The document is empty")
    try:
        text = body.decode()
        document = json.loads(text)
        if SURROGATE.search(text):
            show(document).encode()  # Python parses a lone surrogate, but cannot encode it later
    except json.JSONDecodeError as error:
        raise InvalidArgument(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, a lone surrogate, too many digits, too deep
        raise InvalidArgument(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise InvalidArgument(f"JSON Value: {show(document)} Is not object")
    return document


def _read_rows(instances: Any, types: Mapping[str, int], request: PredictRequest) -> None:
    if not isinstance(instances, list):
        raise InvalidArgument(f"JSON Value: {show(instances)} Excepting 'instances' to be an list/array")
    if not instances:
        raise InvalidArgument(f"JSON Value: {show(instances)} No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(types) > 1:
        raise InvalidArgument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = _is_object(instances[0])
    tensors = {name: JsonTensor(data_type) for name, data_type in types.items()}
    for position, instance in enumerate(instances):
        if named != _is_object(instance):
            expected, actual = ("object", "list") if named else ("value/list", "object")
            raise InvalidArgument(f"Expecting {expected} but got {actual} at item {position} of input list")
        if named:
            _add_named(instance, position, tensors)
        else:
            _add(next(iter(tensors.values())), instance, f"element: {position}")
    for name, rows in tensors.items():
        if rows.shape is not None:
            rows.write(request.inputs[name], [len(instances), *rows.shape])


def _add_named(instance: dict[str, Any], position: int, tensors: Mapping[str, JsonTensor]) -> None:
    for name, value in instance.items():
        if name not in tensors:
            raise InvalidArgument(
                f"Failed to process element: {position} key: {name} of 'instances' list. Error: INVALID_ARGUMENT: JSON "
                f"object: does not have named input: {name}"
            )
        _add(tensors[name], value, f"element: {position} key: {name}")
    if instance.keys() != tensors.keys():
        raise InvalidArgument(
            f"Failed to process element: {position} of 'instances' list. JSON object: {show(instance)} keys must be "
            f"equal to: {','.join(sorted(tensors))}"
        )


def _add(rows: JsonTensor, value: Any, location: str) -> None:
    try:
        rows.add(value)
    except ServingError as error:  # TensorFlow Serving replaces any code with this one
        raise InvalidArgument(
            f"Failed to process {location} of 'instances' list. Error: {error.code.name}: {error.message}"
        ) from error


def _read_columns(inputs: Any, types: Mapping[str, int], request: PredictRequest) -> None:
    if not _is_object(inputs):
        if len(types) > 1:
            raise InvalidArgument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        inputs = dict.fromkeys(types, inputs)
    for name, data_type in types.items():
        if name not in inputs:
            raise InvalidArgument(f"Missing named input: {name} in 'inputs' object.")
        column = JsonTensor(data_type)
        column.write(request.inputs[name], column.add(inputs[name]))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)
