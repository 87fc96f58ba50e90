"""Reports whether the proxy can answer requests, and whether the queue and the accurate model work too."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from tf_serving_client import ContractCheck, ModelError, ModelStatus


class Described(Protocol):
    """`CheckedModel`, or a test double."""

    async def describe(self) -> object:
        """Raises a `ModelError` if the model is unavailable or does not fit the contract."""


class Writable(Protocol):
    """The part of `JobStore` that is used here."""

    async def is_writable(self) -> bool:
        """Never raises."""


@dataclass(frozen=True, slots=True)
class CheckedModel:
    status: ModelStatus
    check: ContractCheck

    async def describe(self) -> None:
        """Raises a `ModelError` if the server does not respond, or no version that it serves has passed the check."""
        await self.status.describe()
        await self.check.current()


@dataclass(frozen=True, slots=True)
class Readiness:
    fast_model: bool
    accurate_model: bool
    queue: bool

    @property
    def is_ready(self) -> bool:
        """Only the fast model is required: without the others, clients still get the fast answer."""
        return self.fast_model

    def as_states(self) -> Mapping[str, str]:
        states = {"fast_model": self.fast_model, "accurate_model": self.accurate_model, "queue": self.queue}
        return {name: "ok" if is_up else "ng" for name, is_up in states.items()}


async def check_readiness(fast: Described, accurate: Described, queue: Writable, deadline: timedelta) -> Readiness:
    fast_model, accurate_model, is_writable = await asyncio.gather(
        _in_time(_is_usable(fast), deadline),
        _in_time(_is_usable(accurate), deadline),
        _in_time(queue.is_writable(), deadline),
    )
    return Readiness(fast_model, accurate_model, is_writable)


async def _is_usable(model: Described) -> bool:
    try:
        await model.describe()
    except ModelError:
        return False
    return True


async def _in_time(is_up: Awaitable[bool], deadline: timedelta) -> bool:
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            return await is_up
    except TimeoutError:
        return False
