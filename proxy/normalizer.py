"""Converts images that are large, or that the models can't read as they are, into small JPEGs."""

import asyncio
import io
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from PIL import Image

from proxy.admission_queue import ConcurrencyLimit
from proxy.errors import Overloaded, TooLarge, Undecodable
from proxy.image_header import ImageHeader

FORMATS: Final = {
    "image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF", "image/bmp": "BMP",
}  # fmt: skip
"""Pillow's name of each media type. No other decoder may run."""
QUALITY: Final = 95
"""The highest that Pillow's documentation recommends."""
MIN_REDUCTION: Final = 2
"""Smaller reductions save too little: libjpeg decodes faster at 1/2, 1/4 and 1/8 of the size, but not in between."""
CONCURRENCY: Final = 2
"""Images that are decoded at a time. `memory` has what the worst files take."""
LARGE_PIXELS: Final = 16_000_000
"""Larger images, which take most of a second, leave one decoder to the others."""
MAX_WEBP_PIXELS: Final = 16_000_000
"""libwebp holds several canvases. Measured: 253 MB at this size, and 795 MB at 50 megapixels."""
MAX_SIDE: Final = 65_500
"""libjpeg's JPEG_MAX_DIMENSION. A PNG of one column and 50 million rows would take 1.1 GB to decode."""
MAX_ASPECT_RATIO: Final = 16
"""A scaled image has at most this many times the pixels of a square whose side is the normalizer's."""
STRIP_PIXELS: Final = 1_000_000
UPRIGHT_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Turns an image of each EXIF orientation upright (CIPA DC-008, 4.6.4). Pillow rotates counterclockwise."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """Decodes a large image once, so that the model servers and Redis handle a small one.

    The models scale every image to the size of their input; the demo's take 224 and 299 pixels a side. An image that is
    much larger than `side`, or that the models would not decode as an image viewer displays it (rotated by its EXIF
    orientation, transparent, CMYK, 16 bits, WebP, GIF, BMP), becomes a small upright RGB JPEG. Transparent pixels
    become white; of an animated GIF, the first picture counts. Other images pass unchanged and are not decoded.
    """

    side: int
    """The shorter side of a scaled image, in pixels; of an image that is longer than 16:1, it is less. 0 means that
    images keep their size."""
    limit: ConcurrencyLimit
    large_limit: ConcurrencyLimit
    threads: ThreadPoolExecutor

    def converts(self, header: ImageHeader) -> bool:
        is_wide = min(header.width, header.height) >= MIN_REDUCTION * self.side
        is_large = self.side > 0 and (is_wide or header.pixels > max_pixels(self.side))
        return is_large or not header.is_plain

    async def normalize(self, image: bytes, header: ImageHeader) -> bytes:
        """Return a JPEG, or the image itself if it needs no change. Raises `TooLarge`, `Undecodable`, `Overloaded`."""
        if max(header.width, header.height) > MAX_SIDE:
            longer = max(header.width, header.height)
            raise TooLarge(f"the image's longer side has {longer} pixels, and the limit is {MAX_SIDE}: crop it")
        image = image[: header.end]
        if not self.converts(header):
            return image
        if header.media_type == "image/webp" and header.pixels > MAX_WEBP_PIXELS:
            raise TooLarge(f"the WebP has {header.pixels} pixels, and the limit is {MAX_WEBP_PIXELS}: scale it down")
        async with self.large_limit if header.pixels > LARGE_PIXELS else nullcontext(), self.limit:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, to_upright_jpeg, image, header, self.side)


@asynccontextmanager
async def normalizer(
    side: int, max_queued: int, queue_timeout: timedelta, *, concurrency: int = CONCURRENCY
) -> AsyncIterator[Normalizer]:
    """Yield a normalizer whose threads end with the context. Pillow releases the GIL while it decodes and encodes."""
    limit, large_limit = (
        ConcurrencyLimit("the image decoder", concurrency=permits, max_queued=max_queued, timeout=queue_timeout)
        for permits in (concurrency, max(1, concurrency - 1))
    )
    with ThreadPoolExecutor(concurrency, thread_name_prefix="normalizer") as threads:
        yield Normalizer(side, limit, large_limit, threads)


def max_pixels(side: int) -> int:
    return MAX_ASPECT_RATIO * side**2


def scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size whose shorter side is at most `side`, with at most `max_pixels`; the same size if `side` is 0."""
    scale = min(1.0, side / min(width, height), math.sqrt(max_pixels(side) / (width * height))) if side else 1.0
    return max(1, round(width * scale)), max(1, round(height * scale))


def to_upright_jpeg(image: bytes, header: ImageHeader, side: int) -> bytes:
    """Return the image as an upright RGB JPEG of the `scaled_size`.

    Raises `Undecodable`, or `Overloaded` if there is no memory for it.
    """
    size = scaled_size(header.width, header.height, side)
    try:
        with Image.open(io.BytesIO(image), formats=[FORMATS[header.media_type]]) as decoder:
            if decoder.size != (header.width, header.height):
                raise ValueError("its size is not the one in its header")
            upright = _scale_and_rotate(decoder, size, header)
        out = io.BytesIO()
        upright.save(out, "JPEG", quality=QUALITY, subsampling=0)
    except MemoryError as error:
        raise Overloaded("there is not enough memory to decode the image: try again in a moment") from error
    except Exception as error:  # Pillow raises many types of errors for broken images
        raise Undecodable(
            f"the {header.media_type} is broken or cut off ({error}): send the whole file, or save it again"
        ) from error
    return out.getvalue()


def _scale_and_rotate(image: Image.Image, size: tuple[int, int], header: ImageHeader) -> Image.Image:
    image.draft(None, size)  # decodes a JPEG at the smallest size that is not below this one
    is_transparent = header.may_be_transparent and image.has_transparency_data
    scaled = (_on_white(image) if is_transparent else _to_rgb(image)).resize(
        size, Image.Resampling.BILINEAR, reducing_gap=2.0
    )
    scaled.info.clear()  # otherwise Pillow writes the comment into the JPEG
    transpose = UPRIGHT_TRANSPOSE.get(header.orientation)
    return scaled if transpose is None else scaled.transpose(transpose)


def _on_white(image: Image.Image) -> Image.Image:
    """Convert strip by strip: the whole image with its alpha channel would take as much memory as the result again."""
    if image.mode.startswith("I;16"):  # Pillow can't apply the transparent colour of a grey image of 16 bits
        return _to_rgb(image)
    image.load()  # before the result is allocated: the decoder's own memory is released when it has ended
    rgb = Image.new("RGB", image.size)
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        white.alpha_composite(strip)
        rgb.paste(white.convert("RGB"), (0, top))
    return rgb


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert as the models' own decoders do: keep the upper 8 of 16 bits."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256) + 0).convert("L").convert("RGB")
    return image.convert("RGB")
