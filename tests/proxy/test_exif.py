"""The orientation, read from valid and from arbitrary EXIF."""

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from proxy.exif import UPRIGHT, read_orientation


@given(st.integers(1, 8), st.booleans(), st.text(max_size=50))
def test_the_orientation_is_the_one_that_pillow_wrote(orientation: int, big_endian: bool, text: str) -> None:
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[0x010E] = text
    exif[0x0112] = orientation
    exif[0x0131] = text
    assert read_orientation(exif.tobytes().removeprefix(b"Exif\0\0")) == orientation


@given(st.integers(9, 65535))
def test_an_orientation_outside_of_1_to_8_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read_orientation(exif.tobytes().removeprefix(b"Exif\0\0")) == UPRIGHT


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff"])
)
def test_arbitrary_bytes_have_a_valid_orientation(data: bytes, start: bytes) -> None:
    assert 1 <= read_orientation(start + data) <= 8
