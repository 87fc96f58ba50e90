"""Reads an encoded image's type, size and orientation from its header, without decoding it.

A PNG of 100 KB can hold a billion pixels, so the size is checked before the image is decoded. AVIF is not supported,
because its decoder uses the size of the embedded frame, which may differ from the size in the file's header.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from image_structure import BrokenImage, UnsupportedEncoding, bmp, gif, jpeg, png
from proxy.errors import Undecodable, UnsupportedImage
from proxy.exif import UPRIGHT, read_orientation
from proxy.file_type import file_type

READ_TYPES: Final = "JPEG, PNG, WebP, GIF or BMP"
PNG_ALPHA: Final = 4
"""A bit of the colour type (RFC 2083, 4.1.1)."""
ANIMATED: Final = 0x02
"""A flag of WebP (RFC 9649, 2.7)."""
MAX_WEBP_CHUNKS: Final = 1_000


@dataclass(frozen=True, slots=True)
class ImageHeader:
    media_type: str
    width: int
    height: int
    end: int
    """The number of bytes that were checked. Those after them must not reach a decoder."""
    orientation: int = UPRIGHT
    """The EXIF orientation, 1 to 8."""
    has_screen_colours: bool = True
    """Grey or RGB with at most 8 bits per channel."""
    may_be_transparent: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def is_plain(self) -> bool:
        """Whether the models decode the image, and decode it as an image viewer displays it."""
        is_supported = self.media_type in ("image/jpeg", "image/png") and not self.may_be_transparent
        return is_supported and self.has_screen_colours and self.orientation == UPRIGHT


def read_header(image: bytes) -> ImageHeader:
    """Takes milliseconds at most, for an image of 20 MB.

    Raises `UnsupportedImage` for any type but `READ_TYPES`, and `Undecodable` for a header that is broken, or
    whose image would take a decoder too long.
    """
    try:
        if image.startswith(png.SIGNATURE):
            header = _png(image)
        elif image.startswith(jpeg.SIGNATURE):
            header = _jpeg(image)
        elif image[:4] == b"RIFF" and image[8:12] == b"WEBP":
            header = _webp(image)
        elif image.startswith(gif.SIGNATURES):
            header = _gif(image)
        elif image.startswith(bmp.SIGNATURE):
            header = _bmp(image)
        else:
            raise UnsupportedImage(_advice(image))
    except UnsupportedEncoding as error:
        raise UnsupportedImage(str(error)) from None
    except BrokenImage as error:
        raise Undecodable(str(error)) from None
    if not header.pixels:
        raise Undecodable(f"the {header.media_type} has no pixels ({header.width}x{header.height}): send another image")
    return header


def _advice(image: bytes) -> str:
    if found := file_type(image):
        return f"the image is {found}, which this service does not read: convert it to a JPEG or PNG"
    return f"the image is not a {READ_TYPES}: convert it to one of them"


def _gif(image: bytes) -> ImageHeader:
    found = gif.read(image)
    return ImageHeader("image/gif", found.width, found.height, len(image), may_be_transparent=found.is_transparent)


def _bmp(image: bytes) -> ImageHeader:
    found = bmp.read(image)
    return ImageHeader("image/bmp", found.width, found.height, len(image), may_be_transparent=True)


def _png(image: bytes) -> ImageHeader:
    if len(image) < 26 or image[12:16] != b"IHDR":
        raise Undecodable("the PNG is broken (its header is missing): save it again")
    width, height, depth, colour = struct.unpack_from(">IIBB", image, 16)
    orientation: int | None = None
    is_transparent = bool(colour & PNG_ALPHA)
    for name, offset, length in png.chunks(image):  # all of them, because their number is limited
        is_transparent = is_transparent or name == b"tRNS"
        if orientation is None and name == b"eXIf":
            orientation = read_orientation(image[offset : offset + length])
        elif orientation is None and name == b"IDAT":  # decoders ignore an orientation after the pixels
            orientation = UPRIGHT
    return ImageHeader("image/png", width, height, len(image), orientation or UPRIGHT, depth <= 8, is_transparent)


def _jpeg(image: bytes) -> ImageHeader:
    found = jpeg.read(image)
    has_screen_colours = found.depth == 8 and found.components in (1, 3)
    orientation = read_orientation(found.exif)
    return ImageHeader("image/jpeg", found.width, found.height, found.end, orientation, has_screen_colours)


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
        for name, offset, length in _webp_chunks(image):
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
    return ImageHeader("image/webp", width, height, len(image), orientation, may_be_transparent=True)


def _webp_chunks(image: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, and the offset and length of the data, of up to `MAX_WEBP_CHUNKS` chunks."""
    offset = 12
    for _ in range(MAX_WEBP_CHUNKS):
        if offset + 8 > len(image):
            return
        name, length = struct.unpack_from("<4sI", image, offset)
        yield name, offset + 8, length
        offset += 8 + length + length % 2  # RIFF pads to an even length
