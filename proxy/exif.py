"""Reads the camera's orientation from EXIF."""

import struct
from typing import Final

UPRIGHT: Final = 1
"""Of the orientations 1 to 8 (CIPA DC-008, 4.6.4), the one whose first row is the top of the picture."""
ORIENTATION_TAG: Final = 0x0112
SHORT: Final = 3
"""The tag's type: an unsigned integer of 16 bits (CIPA DC-008, 4.6.2)."""
BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
MAX_BYTES: Final = 64 * 1024
"""The size of a JPEG segment. The orientation is in the first directory, which is near the beginning."""


def read_orientation(tiff: bytes) -> int:
    """Return the orientation, 1 to 8, or `UPRIGHT` if there is none. `tiff` is EXIF without a file format's prefix.

    A general metadata reader would parse every entry, and a client can send very many of them.
    """
    order = BYTE_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return UPRIGHT
    tiff = tiff[:MAX_BYTES]
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    if directory + 2 > len(tiff):
        return UPRIGHT
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    first = directory + 2
    for offset in range(first, min(first + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, offset)
        if tag == ORIENTATION_TAG:
            return value if (kind, count) == (SHORT, 1) and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
