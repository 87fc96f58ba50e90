"""Images whose bytes were tampered with where it hurts most: at their beginning, where their sizes and tables are."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.images import encoded

FORMS: Final = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
}
HEADER: Final = 64
EXTREMES: Final = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)

Tampering = Callable[[bytearray, random.Random], None]


def flip_a_bit(image: bytearray, chance: random.Random) -> None:
    image[chance.randrange(min(HEADER, len(image)))] ^= 1 << chance.randrange(8)


def set_an_extreme(image: bytearray, chance: random.Random) -> None:
    image[chance.randrange(min(HEADER, len(image)))] = chance.choice(EXTREMES)


def fill_a_word(image: bytearray, chance: random.Random) -> None:
    """As a length or a size that is as large as can be, or none."""
    at = chance.randrange(min(HEADER, len(image)))
    image[at : at + 4] = bytes([chance.choice(EXTREMES)]) * 4


def cut_off(image: bytearray, chance: random.Random) -> None:
    del image[chance.randrange(1, max(2, len(image))) :]


def take_a_piece_out(image: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(image))
    del image[at : at + chance.randrange(1, 40)]


def repeat_a_piece(image: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(image))
    image[at:at] = image[at : at + chance.randrange(1, 40)] * chance.randrange(1, 50)


def scramble_the_rest(image: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(image))
    image[at:] = chance.randbytes(len(image) - at)


TAMPERINGS: Final[Sequence[Tampering]] = (
    flip_a_bit, set_an_extreme, fill_a_word, cut_off, take_a_piece_out, repeat_a_piece, scramble_the_rest,
)  # fmt: skip


def broken_images(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` pairs of media type and bytes. The same seed gives the same images."""
    chance = random.Random(seed)
    whole = [(FORMS[form], encoded(form=form, size=(33, 21))) for form in FORMS]
    whole += [
        ("image/jpeg", encoded(progressive=True)),
        ("image/jpeg", encoded("CMYK")),
        ("image/png", encoded("P", form="PNG")),
    ]
    for _ in range(count):
        media_type, image = chance.choice(whole)
        broken = bytearray(image)
        for tamper in chance.choices(TAMPERINGS, k=chance.randrange(1, 4)):
            if broken:
                tamper(broken, chance)
        if chance.random() < 0.1:
            media_type = chance.choice(list(FORMS.values()))
        yield media_type, bytes(broken)
