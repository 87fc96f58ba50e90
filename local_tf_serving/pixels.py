"""Encoded images to what a network is shown: the SavedModel's decode and resize, done by Pillow.

The reference is imagenet_export/serving_graph.py. What is read, what is refused and every pixel are the same, but that
an image much larger than the network's is made smaller while it is decoded: libjpeg computes every second, fourth or
eighth pixel from the coefficients, which is several times cheaper. Pillow also refuses a PNG whose comment is damaged.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from local_tf_serving.engine import Array
from local_tf_serving.errors import InvalidArgument, ResourceExhausted

_JPEG = b"\xff\xd8\xff"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FORMATS = {_JPEG: ["JPEG"], _PNG_SIGNATURE: ["PNG"]}

Extent = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

ENOUGH = 4
"""Pixels decoded for one that is shown, along each axis, at least.

By how much MobileNetV2's scores differ from a full decode's on photographs enlarged two- to eightfold: 0.033 with 2,
0.026 with 3, 0.007 with 4. InceptionV3's: 0.009, 0.004, 0.001.
"""


def fill(pixels: Array, image_bytes: bytes) -> None:
    """Decode and resize one JPEG or PNG into float32 `pixels` [size, size, 3], 0…255. Raises InvalidArgument."""
    size = pixels.shape[0]
    try:
        colours, extent = _decoded(image_bytes, ENOUGH * size)
    except MemoryError as error:
        raise ResourceExhausted("no memory left for the image") from error
    except Exception as error:  # Pillow raises whatever the damage leads it to; an image beyond 179 megapixels, too
        raise InvalidArgument(f"the image can't be decoded: {error}") from error
    for band in range(3):
        exact = colours.getchannel(band).convert("F")  # uint8 would be rounded after each axis
        pixels[:, :, band] = exact.resize((size, size), Image.Resampling.BILINEAR, extent)


def _decoded(image_bytes: bytes, enough: int) -> tuple[Image.Image, Extent]:
    """RGB, made smaller as long as `enough` pixels remain along each axis; and where in it the image ends.

    Its last pixel may stand for fewer than the others do: to stretch them all alike would move the whole image.
    """
    with _opened(image_bytes) as image:
        if image.format == "PNG":
            _check_chunks(image_bytes)
        drafted = image.draft(None, (enough, enough))
        width, height = drafted[1][2:] if drafted else image.size
        colours = _rgb(image)
    factors = max(1, int(width // enough)), max(1, int(height // enough))
    if factors != (1, 1):  # it could not be decoded smaller, or not along both axes
        colours = colours.reduce(factors)
    return colours, (0, 0, width / factors[0], height / factors[1])


def _opened(image_bytes: bytes) -> Image.Image:
    for magic, formats in _FORMATS.items():
        if image_bytes.startswith(magic):
            return Image.open(io.BytesIO(image_bytes), formats=formats)
    raise ValueError("neither JPEG nor PNG")


def _check_chunks(png: bytes) -> None:
    """Raises for what libpng refuses and Pillow overlooks: damage behind the last row, and a file without its end."""
    position, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", png, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", png, end)
        if kind[:1].isupper() and zlib.crc32(memoryview(png)[position + 4 : end]) != checksum:  # a critical chunk
            raise ValueError(f"chunk {kind!r} is damaged")
        position = end + 4


def _rgb(image: Image.Image) -> Image.Image:
    """Alpha is dropped, and of 16 bits the lower 8."""
    if image.mode.startswith("I"):
        grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    return image.convert("RGB")
