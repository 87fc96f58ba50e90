"""Corrupt images in all formats. Most of the damage is in the header, where formats keep sizes and tables."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.images import encode_image

MEDIA_TYPES: Final = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
}
HEADER_BYTES: Final = 64
EXTREME_BYTES: Final = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)

Mutation = Callable[[bytearray, random.Random], None]


def flip_bit(image: bytearray, rng: random.Random) -> None:
    image[rng.randrange(min(HEADER_BYTES, len(image)))] ^= 1 << rng.randrange(8)


def set_extreme_byte(image: bytearray, rng: random.Random) -> None:
    image[rng.randrange(min(HEADER_BYTES, len(image)))] = rng.choice(EXTREME_BYTES)


def set_extreme_word(image: bytearray, rng: random.Random) -> None:
    """A size or a length field becomes zero or very large."""
    start = rng.randrange(min(HEADER_BYTES, len(image)))
    image[start : start + 4] = bytes([rng.choice(EXTREME_BYTES)]) * 4


def truncate(image: bytearray, rng: random.Random) -> None:
    del image[rng.randrange(1, max(2, len(image))) :]


def remove_slice(image: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(image))
    del image[start : start + rng.randrange(1, 40)]


def repeat_slice(image: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(image))
    image[start:start] = image[start : start + rng.randrange(1, 40)] * rng.randrange(1, 50)


def randomize_tail(image: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(image))
    image[start:] = rng.randbytes(len(image) - start)


MUTATIONS: Final[Sequence[Mutation]] = (
    flip_bit, set_extreme_byte, set_extreme_word, truncate, remove_slice, repeat_slice, randomize_tail,
)  # fmt: skip


def broken_images(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` pairs of media type and bytes. The same seed yields the same images."""
    rng = random.Random(seed)
    valid = [(media_type, encode_image(file_format=form, size=(33, 21))) for form, media_type in MEDIA_TYPES.items()]
    valid += [
        ("image/jpeg", encode_image(progressive=True)),
        ("image/jpeg", encode_image("CMYK")),
        ("image/png", encode_image("P", file_format="PNG")),
    ]
    for _ in range(count):
        media_type, original = rng.choice(valid)
        image = bytearray(original)
        for mutate in rng.choices(MUTATIONS, k=rng.randrange(1, 4)):
            if image:
                mutate(image, rng)
        if rng.random() < 0.1:
            media_type = rng.choice(list(MEDIA_TYPES.values()))
        yield media_type, bytes(image)
