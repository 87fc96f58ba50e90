import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from tests.chaos.chaos_stack import ChaosStack

TRIGGER_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    inject: Callable[[ChaosStack], Coroutine[None, None, None]]
    """Called while clients post. Returns when the cause is gone: killed processes have been started again."""
    poison: bytes | None = None
    """An image to post during the injection; its job must fail."""
    is_slow: bool = False
    """Not part of `make test`."""
    recovery_timeout_s: float = 30.0
    """How long all accepted jobs and one new job may take to end after the injection."""


async def wait_for_trigger(fired: asyncio.Event) -> None:
    async with asyncio.timeout(TRIGGER_TIMEOUT_S):
        await fired.wait()
