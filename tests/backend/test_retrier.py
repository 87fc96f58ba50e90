"""Calls are retried until they succeed or the worker is stopping."""

import asyncio

from backend.retrier import Retrier, backoff_s
from job_store import StoreUnavailable


class FlakyStore:
    """Unavailable for the first `failures` calls."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    async def store(self, value: str) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise StoreUnavailable("unavailable")
        return value


async def test_a_result_is_stored_even_when_the_worker_is_stopping() -> None:
    stopping, flaky = asyncio.Event(), FlakyStore(failures=4)
    stopping.set()
    assert await Retrier(stopping).retry_until_stored(flaky.store, "value") == "value"
    assert flaky.calls == 5


async def test_other_calls_are_retried_until_they_succeed() -> None:
    flaky = FlakyStore(failures=3)
    assert await Retrier(asyncio.Event()).retry(flaky.store, "value") == "value"
    assert flaky.calls == 4


async def test_other_calls_are_abandoned_when_the_worker_is_stopping() -> None:
    stopping, flaky = asyncio.Event(), FlakyStore(failures=1_000_000)
    asyncio.get_running_loop().call_later(0.1, stopping.set)
    assert await Retrier(stopping).retry(flaky.store, "value") is None
    assert 1 <= flaky.calls < 100


async def test_pauses_grow_up_to_a_limit() -> None:
    """A store that stays unavailable is called less and less often, but at least every two seconds."""
    longest = [max(backoff_s(attempt) for _ in range(200)) for attempt in (1, 2, 3, 6, 10_000)]
    assert 0.05 < longest[0] <= 0.1 < longest[1] <= 0.2 < longest[2] <= 0.4 < longest[3] <= 2.0
    assert 1.0 < longest[4] <= 2.0
