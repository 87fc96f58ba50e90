"""Reads an encoded image's type, size and orientation from its header, without decoding it.

A PNG of 100 KB can hold a billion pixels, so the size is checked before the image is decoded. Reading it takes bounded
time: a fixed offset in a PNG or WebP, a limited number of segments in a JPEG. AVIF is not supported, because its
decoder uses the size of the embedded frame, which may differ from the size in the file's header.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from proxy.errors import Undecodable, UnsupportedImage
from proxy.exif import UPRIGHT, read_orientation

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
"""RFC 2083, section 3.1. IHDR must be the first chunk: length, name, then width and height, big-endian."""
JPEG_SIGNATURE: Final = b"\xff\xd8\xff"
"""ITU-T T.81, annex B: SOI, then the 0xFF of the next marker."""
START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 (T.81, table B.1). DHT, JPG and DAC have codes in the same range."""
SEGMENTS: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""Allowed before the frame: DHT, DAC, DQT, DRI, COM and APP0 to APP15 (T.81, table B.1 and B.2.4)."""
FILL: Final = re.compile(rb"\xff+")
"""Any number of 0xFF may precede a marker's code (T.81, B.1.1.2)."""
EXIF: Final = (0xE1, b"Exif\0\0")
"""Marker and first bytes of the segment that holds the orientation (CIPA DC-008, 4.7.2)."""
MAX_EXIF_SEGMENTS: Final = 4
"""A camera writes one. Decoders read all of them."""
ANIMATED: Final = 0x02
"""A flag of WebP (RFC 9649, 2.7)."""
MAX_SEGMENTS: Final = 1_000
"""Cameras write a few dozen before the frame; a large embedded profile or preview takes a few hundred."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    media_type: str
    width: int
    height: int
    orientation: int = UPRIGHT
    """The EXIF orientation, 1 to 8."""
    has_screen_colours: bool = True
    """Grey or RGB with at most 8 bits per channel."""

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def is_plain(self) -> bool:
        """Whether the models decode the image, and decode it as an image viewer displays it."""
        is_supported = self.media_type in ("image/jpeg", "image/png")
        return is_supported and self.has_screen_colours and self.orientation == UPRIGHT


def read_header(image: bytes) -> ImageHeader:
    """Raises `UnsupportedImage` for any type but JPEG, PNG and WebP, and `Undecodable` for a broken header."""
    if image.startswith(PNG_SIGNATURE):
        header = _png(image)
    elif image.startswith(JPEG_SIGNATURE):
        header = _jpeg(image)
    elif image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        header = _webp(image)
    else:
        raise UnsupportedImage("the image is not a JPEG, PNG or WebP: convert it to one of them")
    if not header.pixels:
        raise Undecodable(f"the {header.media_type} has no pixels ({header.width}x{header.height}): send another image")
    return header


def _png(image: bytes) -> ImageHeader:
    if len(image) < 26 or image[12:16] != b"IHDR":
        raise Undecodable("the PNG is broken (its header is missing): save it again")
    width, height, depth = struct.unpack_from(">IIB", image, 16)
    orientation = UPRIGHT
    for name, offset, length in _chunks(image, 8, ">I4s", trailer=4):
        if name == b"eXIf":  # ignored after the pixels
            orientation = read_orientation(image[offset : offset + length])
        if name in (b"eXIf", b"IDAT"):
            break
    return ImageHeader("image/png", width, height, orientation, has_screen_colours=depth <= 8)


def _jpeg(image: bytes) -> ImageHeader:
    """Refuses what a decoder would skip, such as garbage or an unknown marker.

    If a decoder skipped other bytes than this function, it would decode an image of another size than the one checked.
    """
    offset, orientation, exif_segments = 2, UPRIGHT, 0
    for _ in range(MAX_SEGMENTS):
        fill = FILL.match(image, offset)
        if not fill or fill.end() + 9 > len(image):
            break
        offset = fill.end()
        marker, length = struct.unpack_from(">BH", image, offset)
        if marker in START_OF_FRAME:
            depth, height, width, bands = struct.unpack_from(">BHHB", image, offset + 3)
            return ImageHeader(
                "image/jpeg", width, height, orientation, has_screen_colours=depth == 8 and bands in (1, 3)
            )
        if marker not in SEGMENTS or length < 2:
            break
        if (marker, image[offset + 3 : offset + 9]) == EXIF:
            orientation = orientation if exif_segments else read_orientation(image[offset + 9 : offset + 1 + length])
            exif_segments += 1
            if exif_segments > MAX_EXIF_SEGMENTS:
                raise Undecodable(f"the JPEG has more than {MAX_EXIF_SEGMENTS} EXIF segments: save it again")
        offset += 1 + length
    raise Undecodable("the JPEG is broken (its size can't be found): save it again")


def _webp(image: bytes) -> ImageHeader:
    """Read the size of the canvas (RFC 9649, 2.7), or of the only picture, lossy (2.5) or lossless (2.6)."""
    kind = image[12:16]
    if len(image) < 30:
        raise Undecodable("the WebP is cut off: send the whole file")
    orientation = UPRIGHT
    if kind == b"VP8X":
        if image[20] & ANIMATED:
            raise Undecodable("the WebP is animated: send a still image")
        width, height = (1 + int.from_bytes(image[offset : offset + 3], "little") for offset in (24, 27))
        for name, offset, length in _chunks(image, 12, "<4sI", trailer=0):
            if name == b"EXIF":
                orientation = read_orientation(image[offset : offset + length].removeprefix(b"Exif\0\0"))
                break
    elif kind == b"VP8L":
        bits = int.from_bytes(image[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", image, 26))
    else:
        raise Undecodable("the WebP is broken (it does not begin with a picture): save it again")
    return ImageHeader("image/webp", width, height, orientation)


def _chunks(image: bytes, offset: int, head: str, trailer: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, and the offset and length of the data, of up to `MAX_SEGMENTS` chunks of a PNG or WebP."""
    for _ in range(MAX_SEGMENTS):
        if offset + 8 > len(image):
            return
        one, other = struct.unpack_from(head, image, offset)
        name, length = (one, other) if isinstance(one, bytes) else (other, one)
        yield name, offset + 8, length
        offset += 8 + length + trailer
        offset += offset % 2 if head.startswith("<") else 0  # RIFF pads to an even length
