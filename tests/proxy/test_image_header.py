"""The size of an image, read without decoding it."""

import io
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from proxy.errors import BadRequest, Undecodable
from proxy.image_header import read_header
from tests.images import encode_image


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP"]),
    st.booleans(),
    st.binary(max_size=200),
)
def test_the_header_has_the_size_that_pillow_decodes(
    size: tuple[int, int], file_format: str, progressive: bool, comment: bytes
) -> None:
    options_of: dict[str, dict[str, Any]] = {
        "JPEG": {"progressive": progressive, "comment": comment},
        "PNG": {},
        "WEBP": {"lossless": progressive, "icc_profile": comment},
        "GIF": {"interlace": progressive, "comment": comment},
        "BMP": {},
    }
    header = read_header(encode_image(size=size, file_format=file_format, **options_of[file_format]))
    assert (header.width, header.height) == size
    assert header.media_type == f"image/{file_format.lower()}"


def test_the_size_is_not_read_from_a_preview_in_the_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "description " * 100
    out = io.BytesIO()
    preview = encode_image(size=(16, 12))
    Image.new("RGB", (640, 480)).save(out, "JPEG", exif=exif, comment=preview, icc_profile=b"\xff\xc0" * 5000)
    header = read_header(out.getvalue())
    assert (header.width, header.height) == (640, 480)


STARTS: Final = (
    b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xc0", b"\xff\xd8\xff\xe1\x00\x40Exif\0\0MM\0*\0\0\0\x08",
    b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPVP8X", b"GIF89a\1\0\1\0\0\0\0", b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0",
)  # fmt: skip


@given(st.binary(max_size=300), st.sampled_from(STARTS))
def test_arbitrary_bytes_have_a_header_or_are_refused(data: bytes, start: bytes) -> None:
    try:
        header = read_header(start + data)
    except BadRequest:
        return
    assert header.pixels > 0


@given(st.data())
def test_a_damaged_image_has_a_header_or_is_refused(data: st.DataObject) -> None:
    image = bytearray(encode_image(file_format=data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadRequest):
        assert read_header(bytes(image[: data.draw(st.integers(0, len(image)))])).pixels > 0


def test_an_image_of_several_pictures_has_the_size_of_the_first() -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "MPO", save_all=True, append_images=[Image.new("RGB", (10, 10))])
    assert read_header(out.getvalue()).pixels == 1200


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data


def frame(width: int, height: int) -> bytes:
    return segment(0xC0, b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00")


@pytest.mark.parametrize("marker", [0x00, 0x01, 0x02, 0xBF, 0xC8, 0xD0, 0xD7, 0xD8, 0xD9, 0xDA, 0xF0, 0xFD])
def test_a_size_after_bytes_that_decoders_skip_is_refused(marker: int) -> None:
    """libjpeg skips FF 00, and decodes the large frame where a walk by segment lengths finds the small one."""
    smuggled = b"\xff\xd8" + segment(marker, frame(12_000, 9_000)) + frame(8, 8) + bytes(20)
    with pytest.raises(Undecodable):
        read_header(smuggled)


def test_garbage_between_segments_and_invalid_lengths_are_refused() -> None:
    for between in (b"\x00", b"garbage", b"\xff\xe0\x00\x01", b"\xff\xe0\x00\x00"):
        with pytest.raises(Undecodable):
            read_header(b"\xff\xd8\xff\xe0\x00\x04ab" + between + frame(8, 8) + bytes(20))


@pytest.mark.parametrize("padding", [1, 2, 7, 300])
def test_fill_bytes_between_segments_are_skipped(padding: int) -> None:
    image = encode_image(size=(21, 9))
    filled = image[:2] + b"\xff" * padding + image[2:]
    assert read_header(filled).width == 21
