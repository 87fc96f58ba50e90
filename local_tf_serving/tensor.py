"""TensorProto to numpy and back, without TensorFlow's runtime.

Reads both forms a TensorProto has, typed values and `tensor_content`, by the rules of Tensor::FromProto
(tensorflow/core/framework/tensor.cc). Writes typed values only, as Tensor::AsProtoField does: clients of TensorFlow
Serving read `float_val`, and a model server that sent `tensor_content` would break them.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from local_tf_serving.engine import Array

_LENGTH_DELIMITED = 2  # protobuf's wire type of a packed repeated field
_VARINT32_BITS = 35  # five bytes of seven bits


@dataclass(frozen=True)
class _Layout:
    """How one DataType lies in numpy and in a TensorProto."""

    dtype: np.dtype[Any]
    field: str
    stored: np.dtype[Any]
    """What one entry of `field` holds: the value itself, half of a complex number, or a 16-bit pattern."""

    @property
    def absent(self) -> Any:
        """What stands for elements without any value."""
        return b"" if self.dtype == np.object_ else self.dtype.type(0)


def _layout(dtype: Any, field: str, stored: Any = None) -> _Layout:
    return _Layout(np.dtype(dtype), field, np.dtype(stored if stored is not None else dtype))


_LAYOUTS = {
    types_pb2.DT_FLOAT: _layout(np.float32, "float_val"),
    types_pb2.DT_DOUBLE: _layout(np.float64, "double_val"),
    types_pb2.DT_INT8: _layout(np.int8, "int_val"),
    types_pb2.DT_INT16: _layout(np.int16, "int_val"),
    types_pb2.DT_INT32: _layout(np.int32, "int_val"),
    types_pb2.DT_INT64: _layout(np.int64, "int64_val"),
    types_pb2.DT_UINT8: _layout(np.uint8, "int_val"),
    types_pb2.DT_UINT16: _layout(np.uint16, "int_val"),
    types_pb2.DT_UINT32: _layout(np.uint32, "uint32_val"),
    types_pb2.DT_UINT64: _layout(np.uint64, "uint64_val"),
    types_pb2.DT_BOOL: _layout(np.bool_, "bool_val"),
    types_pb2.DT_HALF: _layout(np.float16, "half_val", np.uint16),
    types_pb2.DT_BFLOAT16: _layout(ml_dtypes.bfloat16, "half_val", np.uint16),
    types_pb2.DT_COMPLEX64: _layout(np.complex64, "scomplex_val", np.float32),
    types_pb2.DT_COMPLEX128: _layout(np.complex128, "dcomplex_val", np.float64),
    types_pb2.DT_STRING: _layout(np.object_, "string_val"),
}
_DATA_TYPES = {layout.dtype: data_type for data_type, layout in _LAYOUTS.items()}


def type_name(data_type: int) -> str:
    """TensorFlow's own name of a DataType: `float`, `string`, `int32`."""
    return str(types_pb2.DataType.Name(data_type)).removeprefix("DT_").lower()


def append_values(proto: TensorProto, values: Sequence[Any]) -> None:
    """Put `values` into the typed field of the dtype `proto` has, behind what is there."""
    getattr(proto, _LAYOUTS[proto.dtype].field).extend(values)


def to_array(proto: TensorProto) -> Array:
    """The tensor `proto` describes. Numbers in `tensor_content` are not copied: the array is then read-only.

    Fewer typed values than elements: the last is repeated; none: zeros, or empty strings. More: the rest is ignored.
    Raises ValueError if the proto is malformed or of a dtype this server doesn't know.
    """
    layout = _LAYOUTS.get(proto.dtype)
    if layout is None:
        raise ValueError(f"dtype {proto.dtype}")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    count = math.prod(shape)
    try:
        if proto.tensor_content:
            flat = _from_content(layout, proto.tensor_content, count)
        else:
            flat = _from_values(layout, getattr(proto, layout.field), count)
        return flat.reshape(shape)
    except (MemoryError, OverflowError) as error:
        raise ValueError(f"shape {shape}") from error


def _from_content(layout: _Layout, content: bytes, count: int) -> Array:
    if layout.dtype == np.object_:
        return _strings(_split_strings(content, count))
    if len(content) != count * layout.dtype.itemsize:
        raise ValueError(f"{len(content)} bytes for {count} elements")
    return np.frombuffer(content, layout.dtype)


def _from_values(layout: _Layout, values: Sequence[Any], count: int) -> Array:
    known = (_strings(values) if layout.dtype == np.object_ else _numbers(layout, values))[:count]
    if len(known) == count:
        return known
    whole: Array = np.empty(count, layout.dtype)
    whole.fill(known[-1] if len(known) else layout.absent)
    whole[: len(known)] = known
    return whole


def _numbers(layout: _Layout, values: Sequence[Any]) -> Array:
    """Values wrap into a narrower dtype and never fail: TensorFlow casts them in C++."""
    wire_dtype = np.int64 if layout.field in ("int_val", "half_val") else layout.stored
    stored = np.array(values, wire_dtype).astype(layout.stored, copy=False)
    per_element = layout.dtype.itemsize // layout.stored.itemsize  # 2 for complex numbers
    return stored[: len(stored) // per_element * per_element].view(layout.dtype)


def _strings(values: Sequence[bytes]) -> Array:
    array = np.empty(len(values), np.object_)
    array[:] = values  # np.array(values) would make a fixed-width dtype of them and lose trailing zero bytes
    return array


def _split_strings(content: bytes, count: int) -> list[bytes]:
    """The strings of a `tensor_content`: all lengths as varints, then all bytes (strings::EncodeStringList)."""
    lengths: list[int] = []
    position = length = shift = 0
    while len(lengths) < count:
        if position == len(content):
            raise ValueError("tensor_content ends within the lengths")
        byte = content[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if shift > _VARINT32_BITS:
            raise ValueError("a length in tensor_content is no varint32")
        if byte < 0x80:
            lengths.append(length)
            length = shift = 0
    if len(content) - position != sum(lengths):
        raise ValueError("tensor_content is not as long as its strings")
    ends = itertools.accumulate(lengths, initial=position)
    return [content[start:end] for start, end in itertools.pairwise(ends)]


def data_type(array: Array) -> int:
    """The DataType of `array`. Raises ValueError for one this server doesn't know."""
    if array.dtype not in _DATA_TYPES:
        raise ValueError(f"dtype {array.dtype}")
    known: int = _DATA_TYPES[array.dtype]
    return known


def write(array: Array, proto: TensorProto) -> None:
    """Fill an empty `proto` with `array`, as typed values. Raises ValueError for a dtype this server doesn't know."""
    proto.dtype = data_type(array)
    layout = _LAYOUTS[proto.dtype]
    dims = proto.tensor_shape.dim
    for size in array.shape:
        dims.add(size=size)
    flat = array.ravel()
    if layout.dtype in (np.float32, np.float64):
        _append_packed(proto, layout, flat)
    else:
        getattr(proto, layout.field).extend(flat.view(layout.stored).tolist())


def _append_packed(proto: TensorProto, layout: _Layout, flat: Array) -> None:
    """Hand floats over as the bytes a packed field has on the wire: 1001 take 1 µs, and `extend` takes 20.

    https://protobuf.dev/programming-guides/encoding/#packed: tag, byte length as a varint, little-endian values.
    """
    data = flat.astype(flat.dtype.newbyteorder("<"), copy=False).tobytes()
    prefix = bytearray([TensorProto.DESCRIPTOR.fields_by_name[layout.field].number << 3 | _LENGTH_DELIMITED])
    length = len(data)
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    proto.MergeFromString(bytes(prefix) + data)
