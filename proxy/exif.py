"""The one thing in an image's EXIF that matters here: how the camera was held."""

import struct
from typing import Final

UPRIGHT: Final = 1
"""Of the orientations 1 to 8 (CIPA DC-008, 4.6.4), the one that has the first row on top."""
ORIENTATION: Final = 0x0112
"""Its tag."""
SHORT: Final = 3
"""Its type: one unsigned integer of 16 bits (CIPA DC-008, 4.6.2)."""
BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
LONGEST: Final = 64 * 1024
"""What a JPEG has room for. The orientation is in the first directory, which is at the beginning."""


def orientation(tiff: bytes) -> int:
    """1 to 8, read from EXIF without the prefix that file formats give it. `UPRIGHT` where it says nothing of it.

    Not a metadata reader's work, which would go through everything that is there, and that may be a lot.
    """
    order = BYTE_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return UPRIGHT
    tiff = tiff[:LONGEST]
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    if directory + 2 > len(tiff):
        return UPRIGHT
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    first = directory + 2
    for at in range(first, min(first + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, at)
        if tag == ORIENTATION:
            return value if (kind, count) == (SHORT, 1) and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
