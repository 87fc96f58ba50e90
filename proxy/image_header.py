"""What an encoded image's first bytes say: its type, its size in pixels, and whether the models can read it as it is.
Nothing is decoded.

A PNG of 100 KB can hold a billion pixels, so the size is read before anyone decodes, and it is read in bounded time:
one fixed place in a PNG or WebP, a bounded walk over the segments of a JPEG, a search in the beginning of an AVIF.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

from PIL import ExifTags, Image

from proxy.errors import Undecodable, UnsupportedImage

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
UPRIGHT: Final = 1
"""Of the EXIF orientations 1 to 8 (CIPA DC-008, 4.6.4), the one in which the first row is on top."""
SPATIAL_EXTENTS: Final = re.compile(rb"ispe\0\0\0\0(.{8})", re.DOTALL)
"""ISO/IEC 23008-12, 6.5.3: width and height of one item. A grid of tiles has one for a tile and one for the whole."""
AVIF_HEADER: Final = 64 * 1024
MOST_SEGMENTS: Final = 1_000
"""Cameras write a few dozen before the frame; a large embedded profile or preview, some hundreds."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    media_type: str
    width: int
    height: int
    is_plain: bool
    """A JPEG or PNG of 8 bits, upright, grey or in colours on a screen: the models see in it what a person sees."""

    @property
    def pixels(self) -> int:
        return self.width * self.height


def read_header(image: bytes) -> ImageHeader:
    """Raises `UnsupportedImage` for what is none of the four types, `Undecodable` for one that has no size."""
    if image.startswith(PNG_SIGNATURE):
        header = _png(image)
    elif image.startswith(JPEG_SIGNATURE):
        header = _jpeg(image)
    elif image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        header = _webp(image)
    elif image[4:8] == b"ftyp" and image[8:12] in (b"avif", b"avis", b"mif1"):
        header = _avif(image)
    else:
        raise UnsupportedImage("the image is no JPEG, PNG, WebP or AVIF: convert it to one of them")
    if not header.pixels:
        raise Undecodable(f"the {header.media_type} has no pixels: {header.width}x{header.height}")
    return header


def _png(image: bytes) -> ImageHeader:
    if len(image) < 26 or image[12:16] != b"IHDR":
        raise Undecodable("the PNG is broken: it does not begin with its header")
    width, height, depth = struct.unpack_from(">IIB", image, 16)
    return ImageHeader("image/png", width, height, is_plain=depth <= 8)


def _jpeg(image: bytes) -> ImageHeader:
    """Whatever a decoder would pass over, garbage or an unknown marker, is refused: what it passes over may differ from
    what is passed over here, and then the size it decodes is not the size that was read."""
    at, orientation = 2, UPRIGHT
    for _ in range(MOST_SEGMENTS):
        fill = FILL.match(image, at)
        if not fill or fill.end() + 9 > len(image):
            break
        at = fill.end()
        marker, length = struct.unpack_from(">BH", image, at)
        if marker in START_OF_FRAME:
            depth, height, width, bands = struct.unpack_from(">BHHB", image, at + 3)
            is_plain = orientation == UPRIGHT and depth == 8 and bands in (1, 3)
            return ImageHeader("image/jpeg", width, height, is_plain)
        if marker not in SEGMENTS or length < 2:
            break
        if (marker, image[at + 3 : at + 9]) == EXIF:
            orientation = _orientation(image[at + 3 : at + 1 + length])
        at += 1 + length
    raise Undecodable("the JPEG is broken: its size is not where a JPEG has it; save it anew")


def _orientation(segment: bytes) -> int:
    exif = Image.Exif()
    try:
        exif.load(segment)
        found = exif.get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception:
        return UPRIGHT
    return found if isinstance(found, int) and 1 <= found <= 8 else UPRIGHT


def _webp(image: bytes) -> ImageHeader:
    """RFC 9649: the size of the canvas (2.7), or of the only picture, lossy (2.5) or lossless (2.6)."""
    kind = image[12:16]
    if len(image) < 30:
        raise Undecodable("the WebP is broken: it ends within its header")
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(image[at : at + 3], "little") for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(image[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", image, 26))
    else:
        raise Undecodable("the WebP is broken: it does not begin with a picture")
    return ImageHeader("image/webp", width, height, is_plain=False)


def _avif(image: bytes) -> ImageHeader:
    found = [struct.unpack(">II", size) for size in SPATIAL_EXTENTS.findall(image, 0, AVIF_HEADER)]
    if not found:
        raise Undecodable("the AVIF is broken: its size is not where an AVIF has it; save it anew")
    width, height = max(found, key=lambda size: size[0] * size[1])
    return ImageHeader("image/avif", width, height, is_plain=False)
