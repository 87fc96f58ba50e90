"""Conversions of TensorProto, compared with TensorFlow's own."""

from typing import Any, Final

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow.core.framework.tensor_pb2 import TensorProto

from local_tf_serving import tensor
from tests.local_tf_serving.loaded_model import string_array
from tests.local_tf_serving.saved_models import ECHOED

NUMBERS: Final = [dtype.as_numpy_dtype for name, dtype in ECHOED.items() if name not in ("bfloat16", "string")]
SHAPES: Final = arrays.array_shapes(min_dims=0, min_side=0, max_side=4)


def written(array: Any) -> TensorProto:
    proto = TensorProto()
    tensor.write(array, proto)
    return proto


@given(st.sampled_from(NUMBERS).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_numbers_are_written_as_typed_values_that_tensorflow_reads(array: Any) -> None:
    proto = written(array)
    assert not proto.tensor_content
    read = tf.make_ndarray(proto)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@given(st.sampled_from(NUMBERS).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_numbers_are_read_in_both_forms(array: Any) -> None:
    for proto in (tf.make_tensor_proto(array), written(array)):
        read = tensor.to_array(proto)
        assert (read.dtype, read.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(read, array)


def test_bfloat16_keeps_its_bits() -> None:
    array = np.array([1.5, -0.0, np.inf], tf.bfloat16.as_numpy_dtype)
    for proto in (tf.make_tensor_proto(array), written(array)):
        np.testing.assert_array_equal(tensor.to_array(proto).view(np.uint16), array.view(np.uint16))


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_strings_keep_every_byte_in_both_forms(values: list[bytes]) -> None:
    array = string_array(values)
    assert tensor.to_array(written(array)).tolist() == values
    content = tf.io.serialize_tensor(tf.constant(values, tf.string, [len(values)])).numpy()
    assert tensor.to_array(TensorProto.FromString(content)).tolist() == values


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_strings_are_read_from_tensor_content(values: list[bytes]) -> None:
    proto = TensorProto(dtype=tf.string.as_datatype_enum)
    proto.tensor_shape.dim.add(size=len(values))
    proto.tensor_content = b"".join(map(varint, map(len, values))) + b"".join(values)
    assert tensor.to_array(proto).tolist() == values
    for broken in (proto.tensor_content + b"x", proto.tensor_content[:-1]):
        proto.tensor_content = broken
        if broken:  # an empty tensor_content means typed values
            with pytest.raises(ValueError, match="tensor_content"):
                tensor.to_array(proto)


def varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def test_an_endless_length_in_tensor_content_is_rejected() -> None:
    proto = TensorProto(dtype=tf.string.as_datatype_enum, tensor_content=b"\xff" * 1_000_000)
    with pytest.raises(ValueError, match="varint32"):
        tensor.to_array(proto)


@pytest.mark.parametrize(
    ("values", "count", "expected"),
    [([1, 2], 2, [1, 2]), ([1, 2], 4, [1, 2, 2, 2]), ([7], 3, [7, 7, 7]), ([], 2, [0, 0]), ([1, 2, 3], 2, [1, 2])],
)
@pytest.mark.parametrize("name", ["float", "int32", "uint8", "half", "complex64", "string"])
def test_the_last_value_is_repeated_as_in_tensorflow(
    name: str, values: list[int], count: int, expected: list[int]
) -> None:
    """A half is stored as its bits, a complex number as a pair, and the strings here are the numbers' digits."""
    proto = TensorProto(dtype=ECHOED[name].as_datatype_enum)
    proto.tensor_shape.dim.add(size=count)
    forms: dict[str, list[Any]] = {
        "half": [int(np.float16(value).view(np.uint16)) for value in values],
        "complex64": [part for value in values for part in (value, 0)],
        "string": [str(value).encode() for value in values],
    }
    tensor.append_values(proto, forms.get(name, values))
    zero: Any = b"" if name == "string" else 0
    texts = [str(value).encode() for value in expected] if name == "string" else expected
    assert tensor.to_array(proto).tolist() == (texts if values else [zero] * count)


def test_values_wrap_into_a_narrower_dtype_as_in_tensorflow() -> None:
    proto = TensorProto(dtype=tf.uint8.as_datatype_enum, int_val=[300, -1])
    proto.tensor_shape.dim.add(size=2)
    assert tensor.to_array(proto).tolist() == [44, 255]


def test_an_unsupported_dtype_is_rejected() -> None:
    with pytest.raises(ValueError, match="dtype"):
        tensor.to_array(TensorProto(dtype=tf.resource.as_datatype_enum))
    with pytest.raises(ValueError, match="dtype"):
        written(np.array(["text"]))
