"""Decodes and resizes images with Pillow, as the SavedModel does with TensorFlow's ops.

The reference is model_export/serving_graph.py. It accepts the same images and computes the same pixels, with three
exceptions. Large images are reduced while they are decoded, which is several times faster: libjpeg can compute every
second, fourth or eighth pixel from the coefficients. Pillow rejects a PNG whose comment is damaged. And images that
would take far more time or memory than their size suggests are rejected before they are decoded.
"""

import io
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Final

import numpy as np
from PIL import Image

from image_structure import jpeg, png
from local_tf_serving.engine import Array
from local_tf_serving.errors import InvalidArgument, ResourceExhausted

MAX_SIDE: Final = 65_500
"""libjpeg's JPEG_MAX_DIMENSION. A PNG of one column and 50 million rows would take 1.1 GB to decode."""
LARGE_PIXELS: Final = 16_000_000
"""Larger images are decoded one at a time: Pillow accepts up to 179 megapixels, which take 1.4 GB."""
LARGE_IMAGE_LOCK: Final = threading.Lock()

ROUNDING_ERROR: Final = 1e-6
"""A side that is a whole number but for rounding is that number."""

Extent = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

MIN_OVERSAMPLING: Final = 4
"""Decoded pixels per pixel of the network's input along each axis, at least.

Photographs enlarged two- to eightfold change MobileNetV2's scores, compared with a full decode, by 0.033 with 2, 0.026
with 3, 0.007 with 4; InceptionV3's by 0.009, 0.004, 0.001.
"""


def fill(pixels: Array, image_bytes: bytes) -> None:
    """Decode and resize one JPEG or PNG into float32 `pixels` [size, size, 3], 0…255. Raises InvalidArgument."""
    size = pixels.shape[0]
    colours, extent = _decoded(image_bytes, MIN_OVERSAMPLING * size, keep_aspect=False)
    _resize(pixels, colours, extent)


def fill_cropped(pixels: Array, image_bytes: bytes) -> None:
    """Like `fill`, but keep the aspect ratio and the centre, by serving_graph.crop's rules."""
    size = pixels.shape[0]
    target = round(size * 256 / 224)
    colours, (_, _, width, height) = _decoded(image_bytes, MIN_OVERSAMPLING * target, keep_aspect=True)
    short = min(width, height)
    extents = []
    for side in (width, height):
        resized = target if side == short else int(side * target / short + ROUNDING_ERROR)
        scale, start = side / resized, round((resized - size) / 2)
        extents.append((start * scale, (start + size) * scale, scale))
    (left, right, scale_x), (top, bottom, scale_y) = extents
    # Only what the filter reads, which reaches one resized pixel beyond the crop: a long image may have 65,500 rows.
    x, y = max(0, int(left - scale_x) - 1), max(0, int(top - scale_y) - 1)
    beyond = min(colours.width, int(right + scale_x) + 2), min(colours.height, int(bottom + scale_y) + 2)
    _resize(pixels, colours.crop((x, y, *beyond)), (left - x, top - y, right - x, bottom - y))


Fill = Callable[[Array, bytes], None]

RESIZE: Final[Mapping[str, Fill]] = {"stretch": fill, "crop": fill_cropped}
"""By the name in an IR's `rt_info`."""


def _resize(pixels: Array, colours: Image.Image, extent: Extent) -> None:
    size = pixels.shape[0]
    for band in range(3):
        exact = colours.getchannel(band).convert("F")  # uint8 would be rounded after each axis
        pixels[:, :, band] = exact.resize((size, size), Image.Resampling.BILINEAR, extent)


def _decoded(image_bytes: bytes, min_size: int, *, keep_aspect: bool) -> tuple[Image.Image, Extent]:
    """Raises InvalidArgument, ResourceExhausted."""
    try:
        return _decode(image_bytes, min_size, keep_aspect=keep_aspect)
    except MemoryError as error:
        raise ResourceExhausted("out of memory while decoding the image") from error
    except Exception as error:  # any type, for damage or for more than 179 megapixels
        raise InvalidArgument(f"cannot decode the image: {error}") from error


def _decode(image_bytes: bytes, min_size: int, *, keep_aspect: bool) -> tuple[Image.Image, Extent]:
    """Decode to RGB, reduced while at least `min_size` pixels remain along each axis, and the extent of the image.

    The last row and column may cover fewer original pixels than the others. The extent excludes the missing part, so
    that a resize does not shift the image.
    """
    with _open(image_bytes) as image, LARGE_IMAGE_LOCK if _is_large(image) else nullcontext():
        drafted = image.draft(None, (min_size, min_size))
        width, height = drafted[1][2:] if drafted else image.size
        colours = _rgb(image)
    factors = max(1, int(width // min_size)), max(1, int(height // min_size))
    if keep_aspect:
        factors = (min(factors), min(factors))
    if factors != (1, 1):  # the decoder could not reduce it, or not along both axes
        colours = colours.reduce(factors)
    return colours, (0, 0, width / factors[0], height / factors[1])


def _open(image_bytes: bytes) -> Image.Image:
    """Raises an exception of any type for an image that is broken, or would take too long to decode."""
    if image_bytes.startswith(jpeg.SIGNATURE):
        end = jpeg.read(image_bytes).end
        image: Image.Image = Image.open(io.BytesIO(image_bytes[:end]), formats=["JPEG"])
    elif image_bytes.startswith(png.SIGNATURE):
        _check_chunks(image_bytes)
        image = Image.open(io.BytesIO(image_bytes), formats=["PNG"])
    else:
        raise ValueError("it is neither a JPEG nor a PNG")
    if max(image.size) > MAX_SIDE:
        raise ValueError(f"its longer side has {max(image.size)} pixels, and the limit is {MAX_SIDE}")
    return image


def _is_large(image: Image.Image) -> bool:
    return image.width * image.height > LARGE_PIXELS


def _check_chunks(image_bytes: bytes) -> None:
    """Raise an exception for damage that only libpng detects: after the last row, or a missing end."""
    name = b""
    for name, start, length in png.chunks(image_bytes):
        (checksum,) = struct.unpack_from(">I", image_bytes, start + length)
        is_critical = name[:1].isupper()
        if is_critical and zlib.crc32(memoryview(image_bytes)[start - 4 : start + length]) != checksum:
            raise ValueError(f"chunk {name!r} has a wrong checksum")
    if name != b"IEND":
        raise ValueError("it is cut off")


def _rgb(image: Image.Image) -> Image.Image:
    """Drop alpha, and the lower 8 of 16 bits."""
    if image.mode.startswith("I"):
        grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    return image.convert("RGB")
