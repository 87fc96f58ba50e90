"""Brings an image into the form that the models read: once, here, and not again in each of them."""

import asyncio
import io
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from PIL import Image

from proxy.admission import Admission
from proxy.errors import Overloaded, TooLarge, Undecodable
from proxy.image_header import ImageHeader

FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
"""A media type's name in Pillow. Nothing but that decoder is let near the bytes."""
QUALITY: Final = 95
"""The highest that Pillow's documentation advises. With colours at full resolution: nobody looks at the file."""
WORTH_IT: Final = 2
"""A JPEG decodes much faster at half its size: libjpeg scales by 1/2, 1/4 and 1/8, and by nothing between."""
AT_ONCE: Final = 2
"""Images that one process decodes. Measured: a PNG of 50 megapixels with alpha takes 386 MB meanwhile."""
MOST_WEBP_PIXELS: Final = 16_000_000
"""libwebp holds several canvases. Measured: 253 MB for these, and 795 MB for 50 megapixels."""
LONGEST_SIDE: Final = 65_500
"""What libjpeg encodes (JPEG_MAX_DIMENSION)."""
TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings an image of each EXIF orientation upright (CIPA DC-008, 4.6.4). Pillow turns counterclockwise."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """A photograph of 12 megapixels costs each model server a full decode, and Redis its megabytes. Models take 224 or
    299 pixels a side, whatever the aspect ratio.

    So what is much larger than that, and what the models would not see as a person does (turned by its EXIF
    orientation, CMYK, 16 bits, WebP), becomes a small upright RGB JPEG. A plain JPEG or PNG passes as it is, and
    is not decoded.
    """

    side: int
    """Pixels that the shorter side keeps. 0: images keep their size."""
    admission: Admission
    threads: ThreadPoolExecutor

    @classmethod
    @asynccontextmanager
    async def opened(cls, side: int, waiting: int, patience: timedelta) -> AsyncIterator[Self]:
        """Its threads run beside the event loop: Pillow lets go of the interpreter while it decodes and encodes."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="normalizer") as threads:
            yield cls(side, Admission(AT_ONCE, waiting, patience), threads)

    def needs(self, header: ImageHeader) -> bool:
        too_large = self.side > 0 and min(header.width, header.height) >= WORTH_IT * self.side
        return too_large or not header.is_plain

    async def normalized(self, image: bytes, header: ImageHeader) -> bytes:
        """The image itself if it is plain and small, else a JPEG. Raises `TooLarge`, `Undecodable` and `Overloaded`."""
        if not self.needs(header):
            return image
        if header.media_type == "image/webp" and header.pixels > MOST_WEBP_PIXELS:
            raise TooLarge(f"the WebP has {header.pixels} pixels; at most {MOST_WEBP_PIXELS} are taken: scale it down")
        async with self.admission:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, normalize, image, header, self.side)


def normalize(image: bytes, header: ImageHeader, side: int) -> bytes:
    """An upright RGB JPEG of the image, `side` pixels on its shorter side if it has more.

    Raises `Undecodable`; `TooLarge` for one that no JPEG could hold; `Overloaded` when there is no memory for it.
    """
    scale = min(1.0, side / min(header.width, header.height)) if side else 1.0
    size = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    if max(size) > LONGEST_SIDE:
        raise TooLarge(f"the image is {max(size)} pixels long; at most {LONGEST_SIDE} are taken: cut it")
    try:
        with Image.open(io.BytesIO(image), formats=[FORMATS[header.media_type]]) as opened:
            if opened.size != (header.width, header.height):
                raise ValueError("it is not of the size that its header says")
            small = upright(opened, size, header.orientation)
        out = io.BytesIO()
        small.save(out, "JPEG", quality=QUALITY, subsampling=0)
    except MemoryError as error:
        raise Overloaded("there is no memory for the image just now: try again in a moment") from error
    except Exception as error:  # Pillow raises whatever the damage leads it to
        raise Undecodable(f"the {header.media_type} is broken or cut off ({error}): send a whole one") from error
    return out.getvalue()


def upright(image: Image.Image, size: tuple[int, int], orientation: int) -> Image.Image:
    image.draft(None, size)  # of a JPEG, the smallest size that is not below this one
    small = rgb(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    small.info.clear()  # or its comment would be written
    return small.transpose(TURNS[orientation]) if orientation in TURNS else small


def rgb(image: Image.Image) -> Image.Image:
    """As the models' own decoding has it: alpha is dropped, and of 16 bits the upper 8 count."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256) + 0).convert("L").convert("RGB")
    return image.convert("RGB")
