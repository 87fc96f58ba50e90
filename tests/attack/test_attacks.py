"""Runs some attacks for a few seconds each: the short form of `make attack`.

Latencies are not compared with a harmless load, because other tests run beside it. No response may take very long.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.attack.attack import Attack
from tests.attack.attack_stack import AttackStack, attack_stack
from tests.attack.attacks import ALL
from tests.attack.campaign import run_attack

SHORT: Final = [attack for attack in ALL if attack.is_in_tests]
PATIENCE: Final = {"QUEUE_TIMEOUT": "5", "FAST_MODEL_DEADLINE": "20"}
"""A busy machine alone makes no client miss these, so that what is shed or fails is the attack's doing."""


@pytest_asyncio.fixture(scope="module")
async def attacked_stack(tmp_path_factory: pytest.TempPathFactory, slow: None) -> AsyncIterator[AttackStack]:
    async with attack_stack(tmp_path_factory.mktemp("attack"), PATIENCE) as stack:
        yield stack


@pytest.mark.parametrize("attack", SHORT, ids=[attack.name for attack in SHORT])
async def test_the_service_survives_and_normal_clients_are_answered_beside(
    attack: Attack, attacked_stack: AttackStack, tmp_path: Path
) -> None:
    result = await run_attack(attacked_stack, attack, attack.min_s, tmp_path, is_compared=False)
    violations = list(result.violations())
    assert not violations, "\n".join(violations)
