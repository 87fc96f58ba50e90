"""Large and unusual images become small upright JPEGs; other images pass unchanged."""

import asyncio
import dataclasses
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from harness.models import PHOTOGRAPHS, has_trained_mobilenet
from proxy.errors import Overloaded, TooLarge, Undecodable
from proxy.image_header import read_header
from proxy.normalizer import Normalizer, max_pixels, normalizer, scaled_size
from tests.images import JPEG_HEADERS, encode_image, flat_png

SIDE: Final = 448
ORIENTATION_TAG: Final = 0x0112
QUEUE_TIMEOUT: Final = timedelta(seconds=30)


@pytest_asyncio.fixture
async def scaling() -> AsyncIterator[Normalizer]:
    async with normalizer(SIDE, max_queued=16, queue_timeout=QUEUE_TIMEOUT) as scaling_normalizer:
        yield scaling_normalizer


def exif(orientation: int) -> dict[str, Any]:
    data = Image.Exif()
    data[ORIENTATION_TAG] = orientation
    return {"exif": data}


def quarters(size: tuple[int, int]) -> Image.Image:
    """Four colours, one in each corner, so that all orientations differ."""
    small = Image.new("RGB", (2, 2))
    small.putdata([(250, 20, 20), (20, 250, 20), (20, 20, 250), (240, 240, 240)])
    return small.resize(size, Image.Resampling.NEAREST)


def encode(image: Image.Image, file_format: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(encode_image(), id="JPEG"),
        pytest.param(encode_image("L"), id="grey JPEG"),
        pytest.param(encode_image(progressive=True), id="progressive JPEG"),
        pytest.param(encode_image(**exif(1)), id="JPEG with metadata, upright"),
        pytest.param(encode_image(exif=b"Exif\0\0nonsense"), id="JPEG with broken metadata"),
        pytest.param(encode_image(file_format="PNG"), id="PNG"),
        pytest.param(encode_image("P", file_format="PNG"), id="palette PNG"),
        pytest.param(encode_image(size=(895, 2000)), id="just below twice the side"),
    ],
)
async def test_a_small_plain_image_passes_unchanged(image: bytes, scaling: Normalizer) -> None:
    assert await scaling.normalize(image, read_header(image)) is image


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
async def test_a_large_image_becomes_a_small_upright_jpeg(
    orientation: int, file_format: str, scaling: Normalizer
) -> None:
    picture = quarters((1600, 1200))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(encode(picture, "PNG", **exif(orientation)))))
    image = encode(picture, file_format, **exif(orientation))
    small = Image.open(io.BytesIO(await scaling.normalize(image, read_header(image))))
    assert small.format == "JPEG"
    assert small.mode == "RGB"
    assert min(small.size) == SIDE
    assert small.getexif().get(ORIENTATION_TAG, 1) == 1
    assert np.abs(corners(small) - corners(expected)).max() < 12


def corners(image: Image.Image) -> np.ndarray[Any, Any]:
    small = image.convert("RGB").resize((4, 4), Image.Resampling.BOX)
    return np.asarray(small, dtype=int)[::3, ::3]


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        ("CMYK", "JPEG"),
        ("I;16", "PNG"),
        ("RGBA", "PNG"),
        ("RGB", "WEBP"),
        ("RGBA", "WEBP"),
        ("L", "GIF"),
        ("RGB", "BMP"),
        ("L", "BMP"),
        ("RGBA", "BMP"),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (1600, 1200)])
async def test_an_image_of_an_unusual_mode_or_type_becomes_an_rgb_jpeg(
    mode: str, file_format: str, size: tuple[int, int], scaling: Normalizer
) -> None:
    gradient = Image.linear_gradient("L").resize(size)
    if mode == "I;16":
        deep = np.asarray(gradient).astype(np.uint16) * 256 + 255
        image = encode(Image.fromarray(deep), file_format)
    else:
        image = encode(gradient.convert("RGB").convert(mode), file_format)
    small = Image.open(io.BytesIO(await scaling.normalize(image, read_header(image))))
    assert (small.format, small.mode, min(small.size)) == ("JPEG", "RGB", min(48 if size[1] == 48 else SIDE, size[1]))
    seen = np.asarray(small.convert("L").resize((16, 16), Image.Resampling.BOX), dtype=int)
    assert np.abs(seen - np.asarray(gradient.resize((16, 16), Image.Resampling.BOX), dtype=int)).max() < 6


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
async def test_a_small_image_is_turned_upright_too(orientation: int, file_format: str, scaling: Normalizer) -> None:
    image = encode(quarters((64, 48)), file_format, **exif(orientation))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(image)))
    small = Image.open(io.BytesIO(await scaling.normalize(image, read_header(image))))
    assert small.size == expected.size
    assert np.abs(corners(small) - corners(expected)).max() < 20


async def test_the_first_of_two_exif_segments_applies(scaling: Normalizer) -> None:
    """Decoders use the first one too."""
    upright, on_its_side = (encode_image(**exif(orientation)) for orientation in (1, 6))
    segment = on_its_side[on_its_side.index(b"\xff\xe1") : on_its_side.index(b"\xff\xdb")]
    both = upright[: upright.index(b"\xff\xdb")] + segment + upright[upright.index(b"\xff\xdb") :]
    assert read_header(both).orientation == 1
    assert await scaling.normalize(both, read_header(both)) is both


async def test_metadata_is_not_sent_to_the_models(scaling: Normalizer) -> None:
    image = encode(quarters((64, 48)), "JPEG", comment=b"secret" * 9000, **exif(6))
    small = await scaling.normalize(image, read_header(image))
    assert len(small) < 3000
    assert b"secret" not in small


async def test_an_image_whose_size_differs_from_its_header_is_refused(scaling: Normalizer) -> None:
    image = encode(quarters((1600, 1200)))
    wrong_header = dataclasses.replace(read_header(image), width=1200)
    with pytest.raises(Undecodable, match="its size is not the one in its header"):
        await scaling.normalize(image, wrong_header)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((895, 55_854), marks=pytest.mark.slow, id="50 megapixels, shorter than twice the side"),
        pytest.param((895, 4_000), id="slightly too many pixels"),
        pytest.param((100, 65_500), id="thin and long"),
        pytest.param((65_500, 763), marks=pytest.mark.slow, id="lying"),
    ],
)
async def test_what_reaches_the_models_is_bounded_in_pixels(size: tuple[int, int], scaling: Normalizer) -> None:
    image = flat_png(*size)
    small = read_header(await scaling.normalize(image, read_header(image)))
    assert small.pixels <= 1.05 * max_pixels(SIDE)
    assert max(small.width, small.height) / max(size) == pytest.approx(min(small.width, small.height) / min(size), 0.02)


@given(st.integers(1, 65_500), st.integers(1, 65_500))
def test_a_scaled_image_of_any_size_is_within_the_limit(width: int, height: int) -> None:
    side, limit = 448, 1.05 * max_pixels(448)
    scaled_width, scaled_height = scaled_size(width, height, side)
    assert scaled_width * scaled_height <= limit + max(width, height)
    assert min(scaled_width, scaled_height) <= max(side, min(width, height))


async def test_an_image_of_extreme_length_is_refused_because_decoders_need_memory_for_each_row(
    scaling: Normalizer,
) -> None:
    image = flat_png(1, 65_501)
    with pytest.raises(TooLarge, match="longer side has 65501 pixels"):
        await scaling.normalize(image, read_header(image))


async def test_a_video_that_looks_like_many_scans_is_not_sent_to_the_models(scaling: Normalizer) -> None:
    """Phones append a video to a photograph. The models' decoders must not see more scans than were checked."""
    image = encode_image()
    motion_photograph = image + b"ftypmp42\xff\xda" * 40
    assert await scaling.normalize(motion_photograph, read_header(motion_photograph)) == image


async def test_with_a_side_of_zero_images_keep_their_size() -> None:
    async with normalizer(0, max_queued=16, queue_timeout=QUEUE_TIMEOUT) as converting:
        large, webp = encode(quarters((1600, 1200))), encode(quarters((1600, 1200)), "WEBP")
        assert await converting.normalize(large, read_header(large)) is large
        jpeg = Image.open(io.BytesIO(await converting.normalize(webp, read_header(webp))))
    assert jpeg.size == (1600, 1200)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
async def test_a_large_image_that_is_cut_off_is_refused(file_format: str, scaling: Normalizer) -> None:
    image = encode_image(size=(1600, 1200), file_format=file_format)
    cut = image[: len(image) * 2 // 3]
    with pytest.raises(Undecodable, match="broken or cut off"):
        await scaling.normalize(cut, read_header(image))


async def test_a_photograph_does_not_wait_for_larger_images(scaling: Normalizer) -> None:
    large, photograph = flat_png(5_000, 5_000), encode(Image.new("RGB", (1600, 1200)))
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(scaling.normalize(large, read_header(large))) for _ in range(4)]
        await asyncio.sleep(0)
        await scaling.normalize(photograph, read_header(photograph))
        assert sum(task.done() for task in waiting) <= 1


async def test_an_image_beyond_the_concurrency_limit_is_refused() -> None:
    image = encode(quarters((1600, 1200)))
    async with normalizer(SIDE, max_queued=0, queue_timeout=QUEUE_TIMEOUT) as scaling:
        async with scaling.limit, scaling.limit:
            with pytest.raises(Overloaded, match="the image decoder's queue is full"):
                await scaling.normalize(image, read_header(image))
        assert len(await scaling.normalize(image, read_header(image))) < len(image)


@pytest.mark.skipif(not has_trained_mobilenet(), reason="no trained weights: labels mean nothing")
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
async def test_a_photograph_of_twelve_megapixels_keeps_its_label_in_every_orientation(
    photograph: Path, client: httpx.AsyncClient
) -> None:
    """The pixels are rotated as a camera would save them, and the metadata has the orientation."""

    async def label_of(image: bytes) -> str:
        response = await client.post("/predict", content=image, headers=JPEG_HEADERS)
        label: str = response.json()["mobilenet_v2"]
        return label

    with Image.open(photograph) as file:
        picture = file.convert("RGB")
    label = await label_of(encode(picture, quality=95))
    size = (4000, 3000) if picture.width > picture.height else (3000, 4000)
    enlarged = picture.resize(size, Image.Resampling.BICUBIC)
    rotations = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    for orientation in (1, 3, 6, 8):
        rotated = enlarged.transpose(rotations[orientation]) if orientation in rotations else enlarged
        image = encode(rotated, quality=90, **exif(orientation))
        assert await label_of(image) == label, f"orientation {orientation}"
