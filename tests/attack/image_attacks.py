"""Images that are costly to decode, and large valid ones."""

from typing import Final

from tests.attack.attack import Attack, Shot, post
from tests.attack.bombs import BOMBS, Bomb, large_png
from tests.attack.head_attacks import once


def image(content: bytes, media_type: bytes) -> Shot:
    return once(post(len(content), media_type), content, stall_s=60)


LARGE: Final = Attack("PNG of 19 MB, valid", lambda: image(large_png(19_000_000), b"image/png"))


IN_TESTS: Final = {"JPEG, repeated scans, 50 megapixels", "PNG, tall", "WebP, 16 megapixels"}


def _attack(name: str, bomb: Bomb) -> Attack:
    twin = LARGE if "19 MB" in name else None
    return Attack(name, lambda: image(bomb.build(), bomb.media_type), is_in_tests=name in IN_TESTS, twin=twin)


ATTACKS: Final = [
    *(_attack(name, bomb) for name, bomb in BOMBS.items()),
    LARGE,
]
