"""Converts one tensor from and to JSON: nested lists of numbers, booleans, strings, or `{"b64": "…"}` for bytes.

The rules and texts are those of TensorFlow Serving's util/json_tensor.cc.
"""

import base64
import binascii
import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from local_tf_serving import tensor
from local_tf_serving.errors import InvalidArgument, Unimplemented

BASE64_KEY: Final = "b64"
MAX_RANK: Final = 254  # TensorShape::MaxDimensions
BYTES_SUFFIX: Final = "_bytes"  # the strings of an output with this suffix are written in base64
INT32: Final = range(-(2**31), 2**31)
INTEGERS: Final = {
    types_pb2.DT_INT8: INT32,  # larger values wrap, as over gRPC
    types_pb2.DT_INT16: INT32,
    types_pb2.DT_UINT8: INT32,
    types_pb2.DT_INT32: INT32,
    types_pb2.DT_INT64: range(-(2**63), 2**63),
    types_pb2.DT_UINT32: range(2**32),
    types_pb2.DT_UINT64: range(2**64),
}
# The largest value, and the largest integer below which all integers are exact.
DECIMALS: Final = {
    types_pb2.DT_FLOAT: (float(np.finfo(np.float32).max), 2**24 - 1),
    types_pb2.DT_DOUBLE: (sys.float_info.max, 2**53 - 1),
}
WRITABLE: Final = {types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_BOOL, types_pb2.DT_STRING, *INTEGERS}


def show(value: Any) -> str:
    """A JSON value for an error message."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "nested too deeply to show"


def is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {BASE64_KEY} and isinstance(value[BASE64_KEY], str)


class JsonTensor:
    """Collects the values of one input: with one `add` in column form, with one per instance in row form."""

    def __init__(self, data_type: int) -> None:
        self.shape: list[int] | None = None
        """The shape of each added value; None before the first."""
        self._data_type = data_type
        self._read = _reader(data_type)
        self._values: list[Any] = []

    def add(self, value: Any) -> list[int]:
        """Add a value and return its shape. Raises ServingError if it is not rectangular or its shape differs."""
        shape = _shape(value)
        self._flatten(value, 0, shape)
        if self.shape is not None and math.prod(shape) != math.prod(self.shape):
            raise InvalidArgument(f"Expecting tensor size: {math.prod(self.shape)} but got: {math.prod(shape)}")
        if self.shape is not None and shape != self.shape:
            raise InvalidArgument(f"Expecting shape {_bracketed(self.shape)} but got: {_bracketed(shape)}")
        self.shape = shape
        return shape

    def write(self, proto: TensorProto, shape: Sequence[int]) -> None:
        """Fill an empty `proto` with all added values."""
        proto.dtype = self._data_type
        for size in shape:
            proto.tensor_shape.dim.add(size=size)
        tensor.append_values(proto, self._values)

    def _flatten(self, value: Any, level: int, shape: Sequence[int]) -> None:
        if not isinstance(value, list):
            if level != len(shape):
                raise InvalidArgument(
                    f"JSON Value: {show(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at "
                    f"level: {len(shape)}"
                )
            self._values.append(self._read(value))
            return
        if level >= len(shape):
            raise InvalidArgument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
        if len(value) != shape[level]:
            raise InvalidArgument(
                f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
            )
        for item in value:
            self._flatten(item, level + 1, shape)


def write(name: str, proto: TensorProto) -> Any:
    """The output `name` as nested lists for `json.dumps`. Bytes that are not UTF-8 become surrogate escapes.

    Raises InvalidArgument for a dtype that REST does not support.
    """
    if proto.dtype not in WRITABLE:
        raise InvalidArgument(f"Failed to write JSON value for tensor type: {tensor.type_name(proto.dtype)}")
    array = tensor.to_array(proto)
    if proto.dtype == types_pb2.DT_FLOAT:
        # Converted to text first, so that the float32 0.1 is written as 0.1 and not as 0.10000000149011612.
        return array.astype(str).astype(np.float64).tolist()
    if proto.dtype == types_pb2.DT_STRING:
        convert = _to_base64 if name.endswith(BYTES_SUFFIX) else _to_text
        array.ravel()[:] = [convert(value) for value in array.flat]  # `to_array` has made a new array
    return array.tolist()


def _reader(data_type: int) -> Callable[[Any], Any]:
    """The function that converts a JSON value of this type, or raises ServingError."""
    if data_type in INTEGERS:
        return lambda value: _integer(value, data_type)
    if data_type in DECIMALS:
        return lambda value: _decimal(value, data_type)
    if data_type == types_pb2.DT_BOOL:
        return _boolean
    if data_type == types_pb2.DT_STRING:
        return _string

    def refuse(value: Any) -> Any:
        raise Unimplemented(f"Conversion of JSON Value: {show(value)} to type: {tensor.type_name(data_type)}")

    return refuse


def _integer(value: Any, data_type: int) -> int:
    if type(value) is not int or value not in INTEGERS[data_type]:
        raise _type_error(value, data_type)
    return value


def _decimal(value: Any, data_type: int) -> float:
    if type(value) not in (int, float):
        raise _type_error(value, data_type)
    largest, largest_exact = DECIMALS[data_type]
    if type(value) is int and -(2**63) <= value < 2**64:
        lossless = abs(value) <= largest_exact
    else:
        lossless = not abs(value) > largest or value in (math.inf, -math.inf)
    if not lossless:
        name = tensor.type_name(data_type)
        raise InvalidArgument(f"Cannot convert JSON value: {show(value)} to {name} without loss of precision.")
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _type_error(value, types_pb2.DT_BOOL)
    return value


def _string(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict):
        raise _type_error(value, types_pb2.DT_STRING)
    if not is_base64(value):
        raise InvalidArgument(f"JSON Value: {show(value)} not formatted correctly for base64 data")
    text = "".join(value[BASE64_KEY].split()).rstrip("=")  # TensorFlow Serving allows white space and missing padding
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("Unable to base64 decode") from error


def _type_error(value: Any, data_type: int) -> InvalidArgument:
    names = {type(None): "Null", bool: str(value), dict: "Object", list: "Array", str: "String"}
    return InvalidArgument(
        f"JSON Value: {show(value)} Type: {names.get(type(value), 'Number')} is not of expected type: "
        f"{tensor.type_name(data_type)}"
    )


def _shape(value: Any) -> list[int]:
    """The shape of the first element at each level; `_flatten` checks the other elements."""
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) == MAX_RANK:
            raise InvalidArgument(f"Encountered list at unexpected level: {MAX_RANK} expected < {MAX_RANK}")
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _bracketed(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _to_base64(value: bytes) -> dict[str, str]:
    return {BASE64_KEY: base64.b64encode(value).decode()}


def _to_text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
