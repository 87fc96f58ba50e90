"""Pillow shows a network what the SavedModel's graph would show it, and refuses what that refuses."""

import random
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from imagenet_export import serving_graph
from local_tf_serving import pixels
from local_tf_serving.errors import InvalidArgument
from tests.imagenet_export import images

SIZE = 224
READABLE = {**images.readable(), "grey PNG of 16 bits": images.encoded(images.of_16_bits(images.cat()), "PNG")}

Pixels = np.ndarray[Any, np.dtype[np.float32]]


def by_pillow(image: bytes) -> Pixels:
    filled = np.full((SIZE, SIZE, 3), -1, np.float32)
    pixels.fill(filled, image)
    return filled


def by_tensorflow(image: bytes) -> Pixels:
    seen: Pixels = serving_graph.pixels(SIZE, tf.constant([image])).numpy()[0]
    return seen


@cache
def photograph(enlarged: int) -> Image.Image:
    cat = images.cat()
    return cat.resize((cat.width * enlarged, cat.height * enlarged), Image.Resampling.BICUBIC)


def is_refused(image: bytes) -> bool:
    try:
        by_pillow(image)
    except InvalidArgument:
        return True
    return False


@pytest.mark.parametrize("kind", READABLE)
def test_every_mode_looks_as_it_does_to_tensorflow(kind: str) -> None:
    np.testing.assert_allclose(by_pillow(READABLE[kind]), by_tensorflow(READABLE[kind]), atol=0.01)


@pytest.mark.parametrize("image", images.unreadable().values(), ids=images.unreadable())
def test_what_is_no_whole_jpeg_or_png_is_refused(image: bytes) -> None:
    with pytest.raises(InvalidArgument, match="the image can't be decoded"):
        by_pillow(image)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_large_images_are_made_smaller_first_and_look_almost_the_same(file_format: str) -> None:
    large = images.encoded(photograph(enlarged=6), file_format)
    difference = np.abs(by_pillow(large) - by_tensorflow(large))
    assert 0 < difference.mean() < 0.5
    assert difference.max() < 5


def test_a_narrow_image_keeps_all_it_has_along_its_short_side() -> None:
    strip = images.encoded(photograph(enlarged=6).crop((0, 0, 2600, 30)), "PNG")
    assert np.abs(by_pillow(strip) - by_tensorflow(strip)).mean() < 0.5


def test_damage_is_refused_as_by_tensorflow() -> None:
    """Where Pillow alone would overlook it: a checksum, the end."""
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
            assert is_refused(bytes(damaged)), damaged.hex()
        else:
            assert not is_refused(bytes(damaged)), damaged.hex()


def test_a_decompression_bomb_is_refused_before_it_goes_off() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    nothing = zlib.compress(bytes(10_000))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", nothing) + chunk(b"IEND", b"")
    with pytest.raises(InvalidArgument, match="decompression bomb"):
        by_pillow(bomb)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
