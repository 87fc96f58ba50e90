"""What a fault is."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from tests.chaos.service import Service

REACHED_WITHIN_S: Final = 30.0


@dataclass(frozen=True)
class Fault:
    """`inject` brings it about while clients post, and returns when it is over: what was killed is started again."""

    name: str
    inject: Callable[[Service], Coroutine[None, None, None]]
    poison: bytes | None = None
    """An image that is posted in the same moment, and must fail."""
    takes_long: bool = False
    """Too long for `make test`."""
    recovers_within_s: float = 30.0
    """From then on, until an image that is posted has become a job that has ended, as have all accepted before."""


async def reached(step: asyncio.Event) -> None:
    async with asyncio.timeout(REACHED_WITHIN_S):
        await step.wait()
