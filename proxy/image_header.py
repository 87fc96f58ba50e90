"""What an encoded image's first bytes say: its type and its size in pixels. Nothing is decoded.

A PNG of 100 KB can hold a billion pixels, so the size is read before anyone decodes, and it is read in bounded time:
one fixed place in a PNG, a bounded walk over the segments of a JPEG.
"""

import re
from dataclasses import dataclass
from typing import Final

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
MOST_SEGMENTS: Final = 1_000
"""Cameras write a few dozen before the frame; a large embedded profile or preview, some hundreds."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    media_type: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


def read_header(image: bytes) -> ImageHeader:
    """Raises `UnsupportedImage` for what is neither JPEG nor PNG, `Undecodable` for one that has no size."""
    if image.startswith(PNG_SIGNATURE):
        header = _png(image)
    elif image.startswith(JPEG_SIGNATURE):
        header = _jpeg(image)
    else:
        raise UnsupportedImage("the image is neither a JPEG nor a PNG: convert it to one of them")
    if not header.pixels:
        raise Undecodable(f"the {header.media_type} has no pixels: {header.width}x{header.height}")
    return header


def _png(image: bytes) -> ImageHeader:
    if len(image) < 24 or image[12:16] != b"IHDR":
        raise Undecodable("the PNG is broken: it does not begin with its header")
    return ImageHeader("image/png", int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big"))


def _jpeg(image: bytes) -> ImageHeader:
    """Whatever a decoder would pass over, garbage or an unknown marker, is refused: what it passes over may differ from
    what is passed over here, and then the size it decodes is not the size that was read."""
    at = 2
    for _ in range(MOST_SEGMENTS):
        fill = FILL.match(image, at)
        if not fill or fill.end() + 8 > len(image):
            break
        at = fill.end()
        marker, length = image[at], int.from_bytes(image[at + 1 : at + 3], "big")
        if marker in START_OF_FRAME:
            height, width = int.from_bytes(image[at + 4 : at + 6], "big"), int.from_bytes(image[at + 6 : at + 8], "big")
            return ImageHeader("image/jpeg", width, height)
        if marker not in SEGMENTS or length < 2:
            break
        at += 1 + length
    raise Undecodable("the JPEG is broken: its size is not where a JPEG has it; save it anew")
