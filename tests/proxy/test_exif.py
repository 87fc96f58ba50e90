"""How the camera was held, read from EXIF that may be anything."""

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from proxy.exif import UPRIGHT, orientation


@given(st.integers(1, 8), st.booleans(), st.text(max_size=50))
def test_it_is_what_pillow_wrote(held: int, big_endian: bool, text: str) -> None:
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[0x010E] = text
    exif[0x0112] = held
    exif[0x0131] = text
    assert orientation(exif.tobytes().removeprefix(b"Exif\0\0")) == held


@given(st.integers(9, 65535))
def test_an_orientation_that_there_is_not_is_none(held: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = held
    assert orientation(exif.tobytes().removeprefix(b"Exif\0\0")) == UPRIGHT


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff"])
)
def test_any_bytes_have_one(data: bytes, start: bytes) -> None:
    assert 1 <= orientation(start + data) <= 8
