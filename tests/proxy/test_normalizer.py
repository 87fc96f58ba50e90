"""What is too large or not plain becomes a small upright JPEG; what is small and plain is left alone."""

import dataclasses
import io
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageOps

from harness.models import PHOTOGRAPHS, has_trained_mobilenet
from proxy.admission import Admission
from proxy.errors import Overloaded, Undecodable
from proxy.image_header import read_header
from proxy.normalizer import Normalizer
from tests.images import encoded

SIDE: Final = 448
JPEG: Final = {"content-type": "image/jpeg"}
ORIENTATION: Final = 0x0112
"""EXIF's tag (CIPA DC-008, 4.6.4)."""


@pytest_asyncio.fixture
async def normalizer() -> AsyncIterator[Normalizer]:
    async with Normalizer.opened(SIDE, waiting=16, patience=timedelta(seconds=30)) as normalizer:
        yield normalizer


def turned(orientation: int) -> dict[str, Any]:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return {"exif": exif}


def quarters(size: tuple[int, int]) -> Image.Image:
    """Four colours, one in each corner: no two orientations of it look alike."""
    small = Image.new("RGB", (2, 2))
    small.putdata([(250, 20, 20), (20, 250, 20), (20, 20, 250), (240, 240, 240)])
    return small.resize(size, Image.Resampling.NEAREST)


def saved(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(encoded(), id="JPEG"),
        pytest.param(encoded("L"), id="grey JPEG"),
        pytest.param(encoded(progressive=True), id="progressive JPEG"),
        pytest.param(encoded(**turned(1)), id="JPEG with metadata, upright"),
        pytest.param(encoded(exif=b"Exif\0\0nonsense"), id="JPEG with broken metadata"),
        pytest.param(encoded("RGBA", form="PNG"), id="PNG"),
        pytest.param(encoded("P", form="PNG"), id="palette PNG"),
        pytest.param(encoded(size=(895, 2000)), id="not twice as large as is of use"),
    ],
)
async def test_a_small_plain_image_passes_as_it_is(image: bytes, normalizer: Normalizer) -> None:
    assert await normalizer.normalized(image, read_header(image)) is image


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_a_large_image_becomes_a_small_one_that_is_upright(
    orientation: int, form: str, normalizer: Normalizer
) -> None:
    picture = quarters((1600, 1200))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(picture, "PNG", **turned(orientation)))))
    image = saved(picture, form, **turned(orientation))
    small = Image.open(io.BytesIO(await normalizer.normalized(image, read_header(image))))
    assert small.format == "JPEG"
    assert small.mode == "RGB"
    assert min(small.size) == SIDE
    assert small.getexif().get(ORIENTATION, 1) == 1
    assert np.abs(corners(small) - corners(expected)).max() < 12


def corners(image: Image.Image) -> np.ndarray[Any, Any]:
    small = image.convert("RGB").resize((4, 4), Image.Resampling.BOX)
    return np.asarray(small, dtype=int)[::3, ::3]


@pytest.mark.parametrize(
    ("mode", "form"),
    [("CMYK", "JPEG"), ("I;16", "PNG"), ("RGB", "WEBP"), ("RGBA", "WEBP")],
)
@pytest.mark.parametrize("size", [(64, 48), (1600, 1200)])
async def test_what_the_models_would_not_see_as_a_person_does_becomes_an_rgb_jpeg(
    mode: str, form: str, size: tuple[int, int], normalizer: Normalizer
) -> None:
    gradient = Image.linear_gradient("L").resize(size)
    if mode == "I;16":
        deep = np.asarray(gradient).astype(np.uint16) * 256 + 255
        image = saved(Image.fromarray(deep), form)
    else:
        image = saved(gradient.convert("RGB").convert(mode), form)
    small = Image.open(io.BytesIO(await normalizer.normalized(image, read_header(image))))
    assert (small.format, small.mode, min(small.size)) == ("JPEG", "RGB", min(48 if size[1] == 48 else SIDE, size[1]))
    seen = np.asarray(small.convert("L").resize((16, 16), Image.Resampling.BOX), dtype=int)
    assert np.abs(seen - np.asarray(gradient.resize((16, 16), Image.Resampling.BOX), dtype=int)).max() < 6


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
async def test_a_small_image_is_turned_too(orientation: int, form: str, normalizer: Normalizer) -> None:
    image = saved(quarters((64, 48)), form, **turned(orientation))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(image)))
    small = Image.open(io.BytesIO(await normalizer.normalized(image, read_header(image))))
    assert small.size == expected.size
    assert np.abs(corners(small) - corners(expected)).max() < 20


async def test_of_two_segments_of_exif_the_first_counts(normalizer: Normalizer) -> None:
    """Whatever decodes it goes by that one, too."""
    upright, on_its_side = (encoded(**turned(orientation)) for orientation in (1, 6))
    segment = on_its_side[on_its_side.index(b"\xff\xe1") : on_its_side.index(b"\xff\xdb")]
    both = upright[: upright.index(b"\xff\xdb")] + segment + upright[upright.index(b"\xff\xdb") :]
    assert read_header(both).orientation == 1
    assert await normalizer.normalized(both, read_header(both)) is both


async def test_what_is_written_beside_the_pixels_does_not_go_to_the_models(normalizer: Normalizer) -> None:
    image = saved(quarters((64, 48)), "JPEG", comment=b"secret" * 9000, **turned(6))
    small = await normalizer.normalized(image, read_header(image))
    assert len(small) < 3000
    assert b"secret" not in small


async def test_an_image_that_is_not_of_the_size_its_header_says_is_refused(normalizer: Normalizer) -> None:
    image = saved(quarters((1600, 1200)))
    lie = dataclasses.replace(read_header(image), width=1200)
    with pytest.raises(Undecodable, match="not of the size"):
        await normalizer.normalized(image, lie)


async def test_a_side_of_zero_leaves_every_size_as_it_is() -> None:
    async with Normalizer.opened(0, waiting=16, patience=timedelta(seconds=30)) as normalizer:
        large, webp = saved(quarters((1600, 1200))), saved(quarters((1600, 1200)), "WEBP")
        assert await normalizer.normalized(large, read_header(large)) is large
        small = Image.open(io.BytesIO(await normalizer.normalized(webp, read_header(webp))))
    assert small.size == (1600, 1200)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_a_large_image_that_is_cut_off_is_refused(form: str, normalizer: Normalizer) -> None:
    image = encoded(size=(1600, 1200), form=form)
    cut = image[: len(image) * 2 // 3]
    with pytest.raises(Undecodable, match="broken or cut off"):
        await normalizer.normalized(cut, read_header(image))


async def test_more_at_once_than_may_wait_are_refused() -> None:
    image = saved(quarters((1600, 1200)))
    with ThreadPoolExecutor(1) as threads:
        normalizer = Normalizer(SIDE, Admission(1, 0, timedelta(seconds=30)), threads)
        async with normalizer.admission:
            with pytest.raises(Overloaded):
                await normalizer.normalized(image, read_header(image))
        assert len(await normalizer.normalized(image, read_header(image))) < len(image)


@pytest.mark.skipif(not has_trained_mobilenet(), reason="no trained weights: labels mean nothing")
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
async def test_a_photograph_of_twelve_megapixels_keeps_its_label_whichever_way_it_is_held(
    photograph: Path, client: httpx.AsyncClient
) -> None:
    """Each is asked for as the camera would save it: the pixels turned, and the way back in the metadata."""
    with Image.open(photograph) as opened:
        picture = opened.convert("RGB")
    label = (await client.post("/predict", content=saved(picture, quality=95), headers=JPEG)).json()["mobilenet_v2"]
    width, height = (4000, 3000) if picture.width > picture.height else (3000, 4000)
    enlarged = picture.resize((width, height), Image.Resampling.BICUBIC)
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    for orientation in (1, 3, 6, 8):
        held = enlarged.transpose(back[orientation]) if orientation in back else enlarged
        image = saved(held, quality=90, **turned(orientation))
        response = await client.post("/predict", content=image, headers=JPEG)
        assert response.json()["mobilenet_v2"] == label, f"orientation {orientation}"
