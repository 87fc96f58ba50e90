"""The chunks of a PNG, whose number is limited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_structure import BrokenImage, png
from tests.images import encode_image, png_of_chunks


def test_the_chunks_of_an_encoded_image_are_found() -> None:
    names = [name for name, _, _ in png.chunks(encode_image("P", file_format="PNG"))]
    assert names == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]


def test_more_chunks_than_any_encoder_writes_are_refused() -> None:
    assert len(list(png.chunks(png_of_chunks(15_000)))) > 15_000
    with pytest.raises(BrokenImage, match="more than 20000 chunks"):
        list(png.chunks(png_of_chunks(20_000)))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_have_a_limited_number_of_chunks(data: bytes) -> None:
    assert len(list(png.chunks(png.SIGNATURE + data))) <= 300 // 8
