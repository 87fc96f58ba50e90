"""Waiting for a condition: the one place in the tests that lets time pass."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T | None]], *, within: float = 20.0, every: float = 0.02
) -> T: ...
@overload
async def wait_until(condition: Callable[[], T | None], *, within: float = 20.0, every: float = 0.02) -> T: ...
async def wait_until(condition: Callable[[], Any], *, within: float = 20.0, every: float = 0.02) -> Any:
    """Return the condition's first true value. Fails, with its last value, when there is none `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within} s: {inspect.getsource(condition).strip()}; last: {value!r}")
        await asyncio.sleep(every)
