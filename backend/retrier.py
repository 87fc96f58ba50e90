"""Trying again: after longer and longer pauses, each of random length, so that workers don't all come back at once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_result,
)

import service_log
from job_store import StoreUnavailable

T = TypeVar("T")

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0


class Patience:
    """A worker's patience with Redis and the model ends when the worker is to stop."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping

    @property
    def is_over(self) -> bool:
        return self._stopping.is_set()

    async def until_stored(self, call: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Call the job store until it answers, however long that takes: what is in hand must not be lost."""
        attempt = 1
        while True:  # not tenacity, which takes a tenth of a millisecond for each job where nothing goes wrong
            try:
                return await call(*args)
            except StoreUnavailable as error:
                _log(attempt, error)
            await asyncio.sleep(pause_s(attempt))
            attempt += 1

    async def while_running(self, call: Callable[..., Awaitable[T]], *args: Any) -> T | None:
        """Call the job store until it answers, or return None when the worker is to stop first."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            wait=_pause_of,
            stop=self._is_over,
            sleep=self.pause,
            before_sleep=_log_state,
            retry_error_callback=lambda _: None,
        )
        return await retrying(call, *args)

    async def until_true(self, ask: Callable[[], Awaitable[bool]]) -> None:
        """Ask, with pauses between, until the answer is yes or the worker is to stop."""
        retrying = AsyncRetrying(
            retry=retry_if_not_result(bool),
            wait=_pause_of,
            stop=self._is_over,
            sleep=self.pause,
            retry_error_callback=lambda _: None,
        )
        await retrying(ask)

    async def pause(self, seconds: float) -> None:
        await self.unless_stopped(asyncio.sleep(seconds))

    async def unless_stopped(self, waiting: Awaitable[None]) -> None:
        """Wait, but no longer than until the worker is to stop. What `waiting` raises is raised here."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]

    def _is_over(self, _: RetryCallState) -> bool:
        return self.is_over


def pause_s(attempt: int) -> float:
    """After so many attempts: 0 to 0.1 s, 0 to 0.2 s, … 0 to 2 s.

    Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
    """
    doublings = min(attempt - 1, 10)  # far beyond the longest pause, and no number that is too large for a float
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**doublings))  # noqa: S311 (no secret)


def _pause_of(state: RetryCallState) -> float:
    return pause_s(state.attempt_number)


def _log_state(state: RetryCallState) -> None:
    _log(state.attempt_number, state.outcome.exception() if state.outcome else None)


def _log(attempt: int, error: BaseException | None) -> None:
    service_log.get_logger().warning("store unavailable", attempt=attempt, error=str(error))
