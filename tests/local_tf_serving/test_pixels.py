"""Pillow computes the same pixels as the SavedModel's graph, and rejects the same images."""

import random
import struct
import zlib
from functools import cache, partial
from typing import Any, Final, get_args

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from local_tf_serving import pixels
from local_tf_serving.errors import InvalidArgument
from model_export import serving_graph
from model_export.recipe import Recipe, Resize
from tests.images import flat_png, jpeg_of_scans, png_of_chunks
from tests.model_export import images

SIZE: Final = 224
READABLE: Final = {
    **images.readable(),
    "grey PNG of 16 bits": images.encoded(images.grey_of_16_bits(images.cat()), "PNG"),
}
UNREADABLE: Final = images.unreadable()

Pixels = np.ndarray[Any, np.dtype[np.float32]]


def reference_of(resize: Resize) -> Any:
    recipe = Recipe("model", "MobileNetV2", size=SIZE, resize=resize)
    return tf.function(partial(serving_graph.pixels, recipe), input_signature=[tf.TensorSpec([None], tf.string)])


REFERENCES: Final = {resize: reference_of(resize) for resize in get_args(Resize)}


def by_pillow(image: bytes, resize: Resize = "stretch") -> Pixels:
    filled = np.full((SIZE, SIZE, 3), -1, np.float32)
    pixels.RESIZE[resize](filled, image)
    return filled


def by_tensorflow(image: bytes, resize: Resize = "stretch") -> Pixels:
    expected: Pixels = REFERENCES[resize](tf.constant([image])).numpy()[0]
    return expected


@cache
def photograph(factor: int) -> Image.Image:
    cat = images.cat()
    return cat.resize((cat.width * factor, cat.height * factor), Image.Resampling.BICUBIC)


def is_rejected(image: bytes) -> bool:
    try:
        by_pillow(image)
    except InvalidArgument:
        return True
    return False


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (256, 256), (224, 700), (37, 90), (1, 300), (5, 1)], ids=str)
def test_a_crop_has_the_same_pixels_as_in_tensorflow(size: tuple[int, int]) -> None:
    image = images.encoded(images.cat().resize(size), "PNG")
    np.testing.assert_allclose(by_pillow(image, "crop"), by_tensorflow(image, "crop"), atol=0.05)


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (1200, 400), (90, 37)], ids=str)
def test_a_crop_has_the_pixels_of_a_resize_of_the_shorter_side_followed_by_a_crop_of_the_centre(
    size: tuple[int, int],
) -> None:
    """What torchvision's Resize(256) and CenterCrop(224) do, with Pillow's unrounded bands."""
    image = images.cat().resize(size)
    width, height = (int(256 * side / min(size)) for side in size)
    left, top = round((width - SIZE) / 2), round((height - SIZE) / 2)
    bands = [band.convert("F").resize((width, height), Image.Resampling.BILINEAR) for band in image.split()]
    expected = np.stack([np.asarray(band) for band in bands], axis=-1)[top : top + SIZE, left : left + SIZE]
    np.testing.assert_allclose(by_pillow(images.encoded(image, "PNG"), "crop"), expected, atol=0.01)


def test_a_crop_of_a_very_long_image_takes_little_memory_in_tensorflow() -> None:
    image = images.encoded(images.cat().resize((2, 60_000)), "PNG")
    np.testing.assert_allclose(by_pillow(image, "crop"), by_tensorflow(image, "crop"), atol=0.5)


@pytest.mark.parametrize("kind", READABLE)
def test_every_image_mode_has_the_same_pixels_as_in_tensorflow(kind: str) -> None:
    np.testing.assert_allclose(by_pillow(READABLE[kind]), by_tensorflow(READABLE[kind]), atol=0.01)


@pytest.mark.parametrize("image", UNREADABLE.values(), ids=UNREADABLE)
def test_an_image_that_is_not_a_complete_jpeg_or_png_is_rejected(image: bytes) -> None:
    with pytest.raises(InvalidArgument, match="cannot decode the image"):
        by_pillow(image)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_large_images_are_reduced_while_decoded_with_almost_the_same_pixels(file_format: str) -> None:
    fast = {"compress_level": 1} if file_format == "PNG" else {}
    large = images.encoded(photograph(factor=6), file_format, **fast)
    difference = np.abs(by_pillow(large) - by_tensorflow(large))
    assert 0 < difference.mean() < 0.5
    assert difference.max() < 5


def test_a_narrow_image_is_not_reduced_along_its_short_side() -> None:
    strip = images.encoded(photograph(factor=6).crop((0, 0, 2600, 30)), "PNG")
    assert np.abs(by_pillow(strip) - by_tensorflow(strip)).mean() < 0.5


def test_damage_is_rejected_as_by_tensorflow() -> None:
    """Pillow alone accepts a wrong checksum and a missing end."""
    dice = random.Random(5)
    png = images.encoded(images.cat().resize((64, 64)), "PNG")
    for _ in range(300):
        damaged = bytearray(png)
        if dice.random() < 0.5:
            damaged[dice.randrange(8, len(png))] ^= 1 << dice.randrange(8)
        else:
            del damaged[dice.randrange(8, len(png)) :]
        try:
            by_tensorflow(bytes(damaged))
        except tf.errors.InvalidArgumentError:
            assert is_rejected(bytes(damaged)), damaged.hex()
        else:
            assert not is_rejected(bytes(damaged)), damaged.hex()


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        pytest.param(jpeg_of_scans(20_000), "more than 32 scans", id="a JPEG of 20,000 scans"),
        pytest.param(jpeg_of_scans(2, start_of_frame=0xCA), "arithmetic-coded", id="an arithmetic-coded JPEG"),
        pytest.param(png_of_chunks(30_000), "more than 20000 chunks", id="a PNG of 30,000 chunks"),
        pytest.param(flat_png(1, 70_000), "longer side has 70000 pixels", id="a PNG of one column"),
    ],
)
def test_an_image_that_costs_far_more_than_its_size_is_rejected_before_it_is_decoded(bomb: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        by_pillow(bomb)


def test_a_decompression_bomb_is_rejected_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    nothing = zlib.compress(bytes(10_000))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", nothing) + chunk(b"IEND", b"")
    with pytest.raises(InvalidArgument, match="decompression bomb"):
        by_pillow(bomb)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
