"""Brings an image into the form that the models read: once, here, and not again in each of them."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from PIL import Image, ImageOps

from proxy.admission import Admission
from proxy.errors import Undecodable
from proxy.image_header import ImageHeader

FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/avif": "AVIF"}
"""A media type's name in Pillow. Nothing but that decoder is let near the bytes."""
QUALITY: Final = 95
"""The highest that Pillow's documentation advises. With colours at full resolution: nobody looks at the file."""
WORTH_IT: Final = 2
"""A JPEG decodes much faster at half its size: libjpeg scales by 1/2, 1/4 and 1/8, and by nothing between."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """A photograph of 12 megapixels costs each model server a full decode, and Redis its megabytes. Models take 224 or
    299 pixels a side, whatever the aspect ratio.

    So what is much larger than that, and what the models would not see as a person does (turned by its EXIF
    orientation, CMYK, 16 bits, WebP, AVIF), becomes a small upright RGB JPEG. A plain JPEG or PNG passes as it is, and
    is not decoded.
    """

    side: int
    """Pixels that the shorter side keeps. 0: images keep their size."""
    admission: Admission
    threads: ThreadPoolExecutor

    @classmethod
    @asynccontextmanager
    async def opened(cls, side: int, waiting: int, patience: timedelta) -> AsyncIterator[Self]:
        """With a thread for each processor: Pillow lets go of the interpreter while it decodes, resizes and encodes."""
        at_once = os.cpu_count() or 1
        with ThreadPoolExecutor(at_once, thread_name_prefix="normalizer") as threads:
            yield cls(side, Admission(at_once, waiting, patience), threads)

    def needs(self, header: ImageHeader) -> bool:
        too_large = self.side and min(header.width, header.height) >= WORTH_IT * self.side
        return not header.is_plain or bool(too_large)

    async def normalized(self, image: bytes, header: ImageHeader) -> bytes:
        """The image itself if it is plain and small, else a JPEG. Raises `Undecodable` and `Overloaded`."""
        if not self.needs(header):
            return image
        async with self.admission:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, normalize, image, header, self.side)


def normalize(image: bytes, header: ImageHeader, side: int) -> bytes:
    """An upright RGB JPEG of the image, `side` pixels on its shorter side if it has more. Raises `Undecodable`."""
    try:
        with Image.open(io.BytesIO(image), formats=[FORMATS[header.media_type]]) as opened:
            if opened.width * opened.height > header.pixels:
                raise Undecodable(f"the {header.media_type} is larger than its header says")
            small = upright(opened, side)
            out = io.BytesIO()
            small.save(out, "JPEG", quality=QUALITY, subsampling=0)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise Undecodable(f"the {header.media_type} is broken or cut off ({error}): send a whole one") from error
    return out.getvalue()


def upright(image: Image.Image, side: int) -> Image.Image:
    scale = min(1.0, side / min(image.size)) if side else 1.0
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image.draft(None, size)  # of a JPEG, the smallest size that is not below this one
    small = rgb(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    try:
        return ImageOps.exif_transpose(small)
    except Exception:
        return small


def rgb(image: Image.Image) -> Image.Image:
    """As the models' own decoding has it: alpha is dropped, and of 16 bits the upper 8 count."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value * (1 / 256) + 0)
        return image.convert("L").convert("RGB")
    return image.convert("RGB")
