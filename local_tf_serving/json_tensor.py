"""One tensor in JSON: nested lists of numbers, booleans, strings, or `{"b64": "…"}` for any bytes.

What is accepted, and what is written, follows util/json_tensor.cc in TensorFlow Serving.
"""

import base64
import binascii
import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from local_tf_serving import tensor
from local_tf_serving.errors import InvalidArgument, Unimplemented

_BASE64_KEY = "b64"
_MAX_RANK = 254  # TensorShape::MaxDimensions
_BYTES_SUFFIX = "_bytes"  # of an output's name: its strings are written in base64
_INT32 = range(-(2**31), 2**31)
_INTEGERS = {
    types_pb2.DT_INT8: _INT32,  # what doesn't fit wraps, as over gRPC
    types_pb2.DT_INT16: _INT32,
    types_pb2.DT_UINT8: _INT32,
    types_pb2.DT_INT32: _INT32,
    types_pb2.DT_INT64: range(-(2**63), 2**63),
    types_pb2.DT_UINT32: range(2**32),
    types_pb2.DT_UINT64: range(2**64),
}
# The largest value, and the largest integer up to which every integer has its own value.
_DECIMALS = {
    types_pb2.DT_FLOAT: (float(np.finfo(np.float32).max), 2**24 - 1),
    types_pb2.DT_DOUBLE: (sys.float_info.max, 2**53 - 1),
}
_WRITABLE = {types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_BOOL, types_pb2.DT_STRING, *_INTEGERS}


def show(value: Any) -> str:
    """A JSON value for an error message."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "nested too deeply to show"


def is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_BASE64_KEY} and isinstance(value[_BASE64_KEY], str)


class JsonTensor:
    """Takes in the values of one input: in column form all at once, in row form instance by instance."""

    def __init__(self, data_type: int) -> None:
        self.shape: list[int] | None = None
        """Of what was added: of each instance, in row form; None before the first."""
        self._data_type = data_type
        self._read = _reader(data_type)
        self._values: list[Any] = []

    def add(self, value: Any) -> list[int]:
        """Returns the shape of `value`. Raises ServingError unless it is rectangular and like those added before."""
        shape = _shape(value)
        self._flatten(value, 0, shape)
        if self.shape is not None and math.prod(shape) != math.prod(self.shape):
            raise InvalidArgument(f"Expecting tensor size: {math.prod(self.shape)} but got: {math.prod(shape)}")
        if self.shape is not None and shape != self.shape:
            raise InvalidArgument(f"Expecting shape {_bracketed(self.shape)} but got: {_bracketed(shape)}")
        self.shape = shape
        return shape

    def write(self, proto: TensorProto, shape: Sequence[int]) -> None:
        """Fill an empty `proto` with everything added, in `shape`."""
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
    """The output `name` as nested lists for `json.dumps`; strings carry bytes that are no UTF-8 as surrogate escapes.

    Raises InvalidArgument for a dtype that JSON form doesn't have.
    """
    if proto.dtype not in _WRITABLE:
        raise InvalidArgument(f"Failed to write JSON value for tensor type: {tensor.type_name(proto.dtype)}")
    array = tensor.to_array(proto)
    if proto.dtype == types_pb2.DT_FLOAT:
        # Through its shortest decimal: 0.1 as float32 is to be written as 0.1, not 0.10000000149011612.
        return array.astype(str).astype(np.float64).tolist()
    if proto.dtype == types_pb2.DT_STRING:
        convert = _to_base64 if name.endswith(_BYTES_SUFFIX) else _to_text
        array.ravel()[:] = [convert(value) for value in array.flat]  # in place: `to_array` has just made it
    return array.tolist()


def _reader(data_type: int) -> Callable[[Any], Any]:
    """What makes a typed value of one JSON value, or raises ServingError."""
    if data_type in _INTEGERS:
        return lambda value: _integer(value, data_type)
    if data_type in _DECIMALS:
        return lambda value: _decimal(value, data_type)
    if data_type == types_pb2.DT_BOOL:
        return _boolean
    if data_type == types_pb2.DT_STRING:
        return _string

    def refuse(value: Any) -> Any:
        raise Unimplemented(f"Conversion of JSON Value: {show(value)} to type: {tensor.type_name(data_type)}")

    return refuse


def _integer(value: Any, data_type: int) -> int:
    if type(value) is not int or value not in _INTEGERS[data_type]:
        raise _type_error(value, data_type)
    return value


def _decimal(value: Any, data_type: int) -> float:
    if type(value) not in (int, float):
        raise _type_error(value, data_type)
    largest, largest_exact = _DECIMALS[data_type]
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
    text = "".join(value[_BASE64_KEY].split()).rstrip("=")  # white space and missing padding are allowed
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
    """By the first element of each level; `_flatten` checks the others against it."""
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) == _MAX_RANK:
            raise InvalidArgument(f"Encountered list at unexpected level: {_MAX_RANK} expected < {_MAX_RANK}")
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _bracketed(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _to_base64(value: bytes) -> dict[str, str]:
    return {_BASE64_KEY: base64.b64encode(value).decode()}


def _to_text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
