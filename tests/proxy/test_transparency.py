"""Transparent pixels become white, and of an animation the first picture counts."""

import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from proxy.image_header import read_header
from proxy.normalizer import Normalizer, normalizer


@pytest_asyncio.fixture
async def scaling() -> AsyncIterator[Normalizer]:
    async with normalizer(448, max_queued=16, queue_timeout=timedelta(seconds=30)) as scaling_normalizer:
        yield scaling_normalizer


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("mode", "file_format", "options"),
    [
        ("RGBA", "PNG", {}), ("LA", "PNG", {}), ("P", "PNG", {"transparency": 0}), ("L", "PNG", {"transparency": 0}),
        ("RGB", "PNG", {"transparency": (0, 0, 0)}), ("RGBA", "WEBP", {"lossless": True}),
        ("P", "GIF", {"transparency": 0}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(64, 48), (1600, 1200)])
async def test_transparent_pixels_become_white(
    mode: str, file_format: str, options: dict[str, Any], size: tuple[int, int], scaling: Normalizer
) -> None:
    image = encode(Image.new("RGBA", size, (0, 0, 0, 0)).convert(mode), file_format, **options)
    small = Image.open(io.BytesIO(await scaling.normalize(image, read_header(image))))
    assert small.getextrema() == ((255, 255),) * 3


def pixel(image: bytes) -> np.ndarray[Any, Any]:
    colours: np.ndarray[Any, Any] = np.asarray(Image.open(io.BytesIO(image)))[9, 9]
    return colours


async def test_half_transparent_pixels_are_mixed_with_white(scaling: Normalizer) -> None:
    image = encode(Image.new("RGBA", (64, 48), (255, 0, 0, 128)), "PNG")
    red, green, blue = (int(value) for value in pixel(await scaling.normalize(image, read_header(image))))
    assert (red >= 253, abs(green - 127) < 4, abs(blue - 127) < 4) == (True, True, True)


async def test_of_an_animated_gif_the_first_picture_counts(scaling: Normalizer) -> None:
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("red", "blue"))
    image = encode(first, "GIF", save_all=True, append_images=[second])
    red, _, blue = pixel(await scaling.normalize(image, read_header(image)))
    assert red > 250 > 10 > blue
