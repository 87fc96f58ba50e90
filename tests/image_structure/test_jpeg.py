"""JPEGs that cost a decoder far more than their size suggests are refused; what any encoder writes is not."""

import io
import warnings
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_structure import BrokenImage, UnsupportedEncoding, jpeg
from tests.images import encode_image, jpeg_of_scans, jpeg_segment

EXIF: Final = jpeg_segment(0xE1, b"Exif\0\0II*\0")
COMMENT: Final = jpeg_segment(0xFE, b"a comment")


def pixels(image: bytes) -> "np.ndarray[Any, Any]":
    with Image.open(io.BytesIO(image), formats=["JPEG"]) as decoder:
        return np.asarray(decoder)


def after_frame(image: bytes, segments: bytes) -> bytes:
    """Insert segments between the frame and the first scan."""
    position = image.index(b"\xff\xda")
    return image[:position] + segments + image[position:]


def test_the_generated_scans_are_those_of_a_progressive_jpeg() -> None:
    assert pixels(jpeg_of_scans(5)).shape == (48, 64)


def test_as_many_scans_as_allowed_are_accepted_and_one_more_is_refused() -> None:
    assert jpeg.read(jpeg_of_scans(jpeg.MAX_SCANS)).width == 64
    with pytest.raises(BrokenImage, match="more than 32 scans"):
        jpeg.read(jpeg_of_scans(jpeg.MAX_SCANS + 1))


def test_one_scan_repeated_thousands_of_times_is_refused() -> None:
    with pytest.raises(BrokenImage, match="more than 32 scans"):
        jpeg.read(jpeg_of_scans(20_000))


def test_fill_bytes_and_tables_between_scans_do_not_hide_scans() -> None:
    for between in (b"\xff" * 9, COMMENT, b"garbage", b"\xff\xd0"):
        scan = jpeg_segment(0xDA, b"\x01\x01\x00\x01\x3f\x10")
        with pytest.raises(BrokenImage, match="more than 32 scans"):
            jpeg.read(jpeg_of_scans(2, extra=(between + scan) * 40))


def test_scans_after_an_end_that_is_hidden_in_a_comment_are_left_out() -> None:
    image = jpeg_of_scans(5_000, extra=jpeg_segment(0xFE, b"\xff\xd9"))
    found = jpeg.read(image)
    assert image[: found.end].count(b"\xff\xda") == 1


def test_scans_of_pictures_in_the_metadata_and_after_the_end_do_not_count() -> None:
    preview = jpeg_segment(0xE2, encode_image() * 40)
    image = encode_image(progressive=True)
    assert jpeg.read(image[:2] + preview + image[2:] + encode_image(progressive=True) * 40).width == 64


@given(st.booleans(), st.sampled_from(["L", "RGB", "CMYK"]), st.integers(0, 100))
def test_an_image_as_encoders_write_it_is_read_to_its_end(progressive: bool, mode: str, quality: int) -> None:
    image = encode_image(mode, progressive=progressive, quality=quality)
    assert jpeg.read(image).end == len(image)


def test_a_video_after_the_picture_that_looks_like_many_scans_is_left_out() -> None:
    """Random data has one SOS in 64 KB."""
    image = encode_image()
    motion_photograph = image + b"video\xff\xda" * 40
    assert jpeg.read(motion_photograph).end == len(image)


@pytest.mark.parametrize("start_of_frame", [0xC3, 0xC5, 0xC9, 0xCA, 0xCB, 0xCD, 0xCF])
def test_a_jpeg_that_no_browser_displays_is_not_supported(start_of_frame: int) -> None:
    with pytest.raises(UnsupportedEncoding, match="save it as a baseline JPEG"):
        jpeg.read(jpeg_of_scans(2, start_of_frame=start_of_frame))


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param(EXIF * 5, id="five EXIF segments, which Pillow joins in quadratic time"),
        pytest.param(COMMENT * 1_001, id="a thousand comments"),
        pytest.param(b"\xff" * 5_000_000, id="megabytes of fill bytes"),
        pytest.param(jpeg_segment(0xC0, b"\x08\0\x08\0\x08\x01\x01\x11\0"), id="a second frame"),
        pytest.param(b"garbage", id="garbage"),
    ],
)
def test_segments_after_the_frame_are_limited_as_those_before_it(segments: bytes) -> None:
    with pytest.raises(BrokenImage):
        jpeg.read(after_frame(encode_image(), segments))


def test_segments_that_encoders_write_after_the_frame_are_allowed() -> None:
    image = after_frame(encode_image(), COMMENT * 20 + b"\xff" * 3 + EXIF)
    assert jpeg.read(image).exif == b"II*\0"


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"\xff\xd8\xff", encode_image(size=(8, 8))[:-40]):
        try:
            found = jpeg.read(start + data)
        except BrokenImage:
            continue
        assert found.end <= len(start + data)


@given(st.data())
def test_pillow_decodes_a_damaged_image_with_the_size_that_was_read(data: st.DataObject) -> None:
    image = bytearray(encode_image(progressive=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = jpeg.read(bytes(image))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decoded = pixels(bytes(image[: found.end]))
    except Exception:  # Pillow raises many types of errors
        return
    assert decoded.shape[:2] == (found.height, found.width)
