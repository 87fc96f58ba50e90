"""The blocks of a GIF (GIF89a specification) up to its first picture."""

import struct
from dataclasses import dataclass
from typing import Final

from image_structure import BrokenImage

SIGNATURES: Final = (b"GIF87a", b"GIF89a")
"""Section 17."""
EXTENSION, PICTURE = 0x21, 0x2C
"""Sections 20 and 23 to 26."""
GRAPHIC_CONTROL: Final = 0xF9
HAS_PALETTE: Final = 0x80
IS_TRANSPARENT: Final = 0x01
MAX_BLOCKS: Final = 20_000
"""Before the first picture. Its XMP metadata takes a few hundred. Pillow takes 1 µs for each, in which no other thread
runs Python."""


@dataclass(frozen=True, slots=True)
class Gif:
    width: int
    height: int
    """Of the screen, which a decoder allocates."""
    is_transparent: bool
    """Whether the first picture has a transparent colour or does not fill the screen."""


def read(image: bytes) -> Gif:
    """Raises `BrokenImage`, also for what a decoder would skip."""
    if len(image) < 13:
        raise BrokenImage("the GIF is cut off: send the whole file")
    width, height, flags = struct.unpack_from("<HHB", image, 6)
    offset = 13 + _palette_bytes(flags)
    is_transparent = False
    blocks = 0
    while blocks <= MAX_BLOCKS and offset + 10 <= len(image):
        if image[offset] == PICTURE:
            left, top, picture_width, picture_height = struct.unpack_from("<4H", image, offset + 1)
            if left + picture_width > width or top + picture_height > height:
                raise BrokenImage("the GIF is broken (its first picture is larger than its screen): save it again")
            fills_screen = (picture_width, picture_height) == (width, height)
            return Gif(width, height, is_transparent or not fills_screen)
        if image[offset] != EXTENSION:
            break
        if image[offset + 1] == GRAPHIC_CONTROL and image[offset + 2]:
            is_transparent = bool(image[offset + 3] & IS_TRANSPARENT)
        offset += 2
        while blocks <= MAX_BLOCKS and offset < len(image) and image[offset]:
            offset += 1 + image[offset]
            blocks += 1
        offset += 1
        blocks += 1
    if blocks > MAX_BLOCKS:
        raise BrokenImage(f"the GIF has more than {MAX_BLOCKS} blocks before its first picture: save it again")
    raise BrokenImage("the GIF is broken (its first picture can't be found): save it again")


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & HAS_PALETTE else 0
