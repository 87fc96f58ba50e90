"""Retries calls to Redis, with growing pauses of random length, so that workers don't retry in step."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import service_log
from job_store import StoreUnavailable

T = TypeVar("T")

BASE_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 2.0


class Retrier:
    """Retries until a call succeeds, or, unless a result would be lost, until the worker is stopping."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    async def retry_until_stored(self, call: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Call the job store until it is available, even while the worker is stopping: a result must not be lost."""
        attempt = 1
        while True:
            try:
                return await call(*args)
            except StoreUnavailable as error:
                _log(error, attempt)
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    async def retry(self, call: Callable[..., Awaitable[T]], *args: Any) -> T | None:
        """Call the job store until it is available. Return None if the worker is stopping."""
        attempt = 1
        while not self.is_stopping:
            try:
                return await call(*args)
            except StoreUnavailable as error:
                _log(error, attempt)
            await self.pause(backoff_s(attempt))
            attempt += 1
        return None

    async def pause(self, seconds: float) -> None:
        """Sleep, but return early when the worker is stopping."""
        await self.wait_or_stop(asyncio.sleep(seconds))

    async def wait_or_stop(self, awaitable: Awaitable[None]) -> None:
        """Wait for `awaitable`, and raise what it raises; cancel it and return early when the worker is stopping."""
        tasks = [asyncio.ensure_future(awaitable), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]


def backoff_s(attempt: int) -> float:
    """The pause after attempt 1, 2, 3, …: a random time up to 0.1 s, 0.2 s, 0.4 s, … but never above 2 s.

    Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
    """
    doublings = min(attempt - 1, 10)  # the limit keeps 2**doublings small enough for a float
    return random.uniform(0, min(MAX_PAUSE_S, BASE_PAUSE_S * 2**doublings))  # noqa: S311 (not a secret)


def _log(error: StoreUnavailable, attempt: int) -> None:
    service_log.get_logger().warning("store unavailable", attempt=attempt, error=str(error))
