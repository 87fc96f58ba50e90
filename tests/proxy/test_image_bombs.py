"""Small files that are costly to decode: neither the proxy nor the fast model's server pays for them."""

import asyncio
from typing import Final

import httpx
import pytest

from harness.stack import Stack
from tests.images import JPEG_HEADERS, flat_png, jpeg_of_scans
from tests.peak_memory import PeakMemory

MEGABYTE: Final = 1024 * 1024


@pytest.mark.parametrize("size", [(895, 55_854), (54_000, 900), (300, 65_500)], ids=str)
async def test_a_tall_or_wide_png_does_not_grow_the_model_server(
    size: tuple[int, int], stack: Stack, client: httpx.AsyncClient
) -> None:
    await client.get("/predict/test")
    memory = PeakMemory(stack.fast.pid)
    image, headers = flat_png(*size), {"content-type": "image/png"}
    responses = await asyncio.gather(*(client.post("/predict", content=image, headers=headers) for _ in range(4)))
    assert {response.status_code for response in responses} == {200}
    assert memory.growth() < 100 * MEGABYTE


async def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded(
    stack: Stack, client: httpx.AsyncClient
) -> None:
    """Decoding this image of 12 megapixels would take minutes, and 24 MB."""
    memory = PeakMemory(stack.proxy.pid)
    image = jpeg_of_scans(20_000, size=(4_000, 3_000))
    response = await client.post("/predict", content=image, headers=JPEG_HEADERS)
    assert response.status_code == 422
    assert "more than 32 scans" in response.json()["detail"]
    assert memory.growth() < 20 * MEGABYTE
