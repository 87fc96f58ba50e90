"""What an encoded image's first bytes say: its type, its size in pixels, and whether the models can read it as it is.
Nothing is decoded.

A PNG of 100 KB can hold a billion pixels, so the size is read before anyone decodes, and it is read in bounded time:
one fixed place in a PNG or WebP, a bounded walk over the segments of a JPEG. An AVIF is not read: its decoder believes
the frame inside, of whatever size that is, and not what the file says of it.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from proxy.errors import Undecodable, UnsupportedImage
from proxy.exif import UPRIGHT, orientation

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
"""PNG (RFC 2083), section 3.1. IHDR must be the first chunk: length, name, then width and height, big-endian."""
JPEG_SIGNATURE: Final = b"\xff\xd8\xff"
"""JPEG (ITU-T T.81), annex B: SOI, then the 0xFF of the next marker."""
START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 (T.81, table B.1), less DHT, JPG and DAC, which lie among them."""
SEGMENTS: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""What may come before the frame: DHT, DAC, DQT, DRI, COM and APP0 to APP15 (T.81, table B.1 and B.2.4)."""
FILL: Final = re.compile(rb"\xff+")
"""Any number of 0xFF may come before a marker's code (T.81, B.1.1.2)."""
EXIF: Final = (0xE1, b"Exif\0\0")
"""Marker and first bytes of the segment that has the orientation (CIPA DC-008, 4.7.2)."""
MOST_EXIF: Final = 4
"""Segments of it. A camera writes one; what decodes the image reads all of them."""
ANIMATED: Final = 0x02
"""A WebP's flag (RFC 9649, 2.7)."""
MOST_SEGMENTS: Final = 1_000
"""Cameras write a few dozen before the frame; a large embedded profile or preview, some hundreds."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    media_type: str
    width: int
    height: int
    orientation: int = UPRIGHT
    """EXIF's, 1 to 8."""
    has_screen_colours: bool = True
    """Grey or RGB, of 8 bits at most."""

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def is_plain(self) -> bool:
        """The models read it, and see in it what a person sees."""
        is_read = self.media_type in ("image/jpeg", "image/png")
        return is_read and self.has_screen_colours and self.orientation == UPRIGHT


def read_header(image: bytes) -> ImageHeader:
    """Raises `UnsupportedImage` for what is none of the three types, `Undecodable` for one that has no size."""
    if image.startswith(PNG_SIGNATURE):
        header = _png(image)
    elif image.startswith(JPEG_SIGNATURE):
        header = _jpeg(image)
    elif image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        header = _webp(image)
    else:
        raise UnsupportedImage("the image is no JPEG, PNG or WebP: convert it to one of them")
    if not header.pixels:
        raise Undecodable(f"the {header.media_type} has no pixels: {header.width}x{header.height}")
    return header


def _png(image: bytes) -> ImageHeader:
    if len(image) < 26 or image[12:16] != b"IHDR":
        raise Undecodable("the PNG is broken: it does not begin with its header")
    width, height, depth = struct.unpack_from(">IIB", image, 16)
    held = UPRIGHT
    for name, at, length in _chunks(image, 8, ">I4s", trailer=4):
        if name == b"eXIf":  # before the pixels, or it is not looked for
            held = orientation(image[at : at + length])
        if name in (b"eXIf", b"IDAT"):
            break
    return ImageHeader("image/png", width, height, held, has_screen_colours=depth <= 8)


def _jpeg(image: bytes) -> ImageHeader:
    """Whatever a decoder would pass over, garbage or an unknown marker, is refused: what it passes over may differ from
    what is passed over here, and then the size it decodes is not the size that was read."""
    at, held, exif = 2, UPRIGHT, 0
    for _ in range(MOST_SEGMENTS):
        fill = FILL.match(image, at)
        if not fill or fill.end() + 9 > len(image):
            break
        at = fill.end()
        marker, length = struct.unpack_from(">BH", image, at)
        if marker in START_OF_FRAME:
            depth, height, width, bands = struct.unpack_from(">BHHB", image, at + 3)
            return ImageHeader("image/jpeg", width, height, held, has_screen_colours=depth == 8 and bands in (1, 3))
        if marker not in SEGMENTS or length < 2:
            break
        if (marker, image[at + 3 : at + 9]) == EXIF:
            held = held if exif else orientation(image[at + 9 : at + 1 + length])
            exif += 1
            if exif > MOST_EXIF:
                raise Undecodable(f"the JPEG has more than {MOST_EXIF} segments of EXIF: save it anew")
        at += 1 + length
    raise Undecodable("the JPEG is broken: its size is not where a JPEG has it; save it anew")


def _webp(image: bytes) -> ImageHeader:
    """RFC 9649: the size of the canvas (2.7), or of the only picture, lossy (2.5) or lossless (2.6)."""
    kind = image[12:16]
    if len(image) < 30:
        raise Undecodable("the WebP is broken: it ends within its header")
    held = UPRIGHT
    if kind == b"VP8X":
        if image[20] & ANIMATED:
            raise Undecodable("the WebP is animated: send one picture")
        width, height = (1 + int.from_bytes(image[at : at + 3], "little") for at in (24, 27))
        for name, at, length in _chunks(image, 12, "<4sI", trailer=0):
            if name == b"EXIF":
                held = orientation(image[at : at + length].removeprefix(b"Exif\0\0"))
                break
    elif kind == b"VP8L":
        bits = int.from_bytes(image[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", image, 26))
    else:
        raise Undecodable("the WebP is broken: it does not begin with a picture")
    return ImageHeader("image/webp", width, height, held)


def _chunks(image: bytes, at: int, head: str, trailer: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of the data of each chunk of a PNG or WebP, as far as is sensible."""
    for _ in range(MOST_SEGMENTS):
        if at + 8 > len(image):
            return
        one, other = struct.unpack_from(head, image, at)
        name, length = (one, other) if isinstance(one, bytes) else (other, one)
        yield name, at + 8, length
        at += 8 + length + trailer
        at += at % 2 if head.startswith("<") else 0  # RIFF pads to an even length
