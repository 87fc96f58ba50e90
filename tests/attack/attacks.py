from collections.abc import Sequence
from typing import Final

from tests.attack import body_attacks, connection_attacks, form_attacks, head_attacks, image_attacks
from tests.attack.attack import Attack

ALL: Final[Sequence[Attack]] = [
    *head_attacks.ATTACKS,
    *connection_attacks.ATTACKS,
    *body_attacks.ATTACKS,
    *form_attacks.ATTACKS,
    *image_attacks.ATTACKS,
]


def by_name(name: str) -> Attack:
    """Return an attack or a twin."""
    twins = [attack.twin for attack in ALL if attack.twin]
    return next(attack for attack in [*ALL, *twins] if attack.name == name)
