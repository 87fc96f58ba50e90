"""The header of a BMP (BITMAPFILEHEADER, and BITMAPCOREHEADER or BITMAPINFOHEADER and its extensions)."""

import struct
from dataclasses import dataclass
from typing import Final

from image_structure import BrokenImage, UnsupportedEncoding

SIGNATURE: Final = b"BM"
CORE_HEADER_BYTES: Final = 12
MIN_INFO_HEADER_BYTES: Final = 40
UNCOMPRESSED: Final = frozenset({0, 3, 6})
"""BI_RGB, BI_BITFIELDS and BI_ALPHABITFIELDS. Pillow decodes run lengths in Python, so that 20 MB take many seconds."""
BITS: Final = frozenset({1, 4, 8, 16, 24, 32})


@dataclass(frozen=True, slots=True)
class Bmp:
    width: int
    height: int


def read(image: bytes) -> Bmp:
    """Raises `BrokenImage`, also for a file that is too small for its pixels."""
    if len(image) < 54:
        raise BrokenImage("the BMP is cut off: send the whole file")
    start, header_bytes = struct.unpack_from("<I", image, 10)[0], struct.unpack_from("<I", image, 14)[0]
    compression = 0
    if header_bytes == CORE_HEADER_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", image, 18)
    elif header_bytes >= MIN_INFO_HEADER_BYTES:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", image, 18)
    else:
        raise BrokenImage("the BMP is broken (its header has an unknown size): save it again")
    height = abs(height)  # negative: the first row is the top
    if compression not in UNCOMPRESSED or bits not in BITS:
        raise UnsupportedEncoding("the BMP is compressed or of a rare kind: convert it to a PNG")
    if width <= 0 or start + (width * bits + 31) // 32 * 4 * height > len(image):
        raise BrokenImage("the BMP is broken or cut off: send the whole file, or save it again")
    return Bmp(width, height)
