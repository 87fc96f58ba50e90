"""`wait_until`, which tests use instead of sleeping for a fixed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


class WaitTimeout(AssertionError):
    """The condition did not become true in time."""


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T | None]], *, within: float = 20.0, every: float = 0.02
) -> T: ...
@overload
async def wait_until(condition: Callable[[], T | None], *, within: float = 20.0, every: float = 0.02) -> T: ...
async def wait_until(condition: Callable[[], Any], *, within: float = 20.0, every: float = 0.02) -> Any:
    """Poll `condition` and return its first true value. Raise `WaitTimeout` after `within` seconds without one."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise WaitTimeout(f"timed out after {within:g} s waiting for {_source(condition)}; last value: {value!r}")
        await asyncio.sleep(every)


def _source(condition: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):  # such as a partial
        return repr(condition)
