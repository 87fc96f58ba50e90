"""The circuit breaker in front of the queue, and the reasons for shed jobs."""

from datetime import timedelta
from typing import Final

import pytest

from job_store import QueueFull, StoreUnavailable
from proxy.refinement_queue import Accepted, RefinementQueue, Shed
from tf_serving_client import Prediction

PROVISIONAL: Final = Prediction("m", 1, (("cat", 1.0),))
COOLDOWN: Final = timedelta(seconds=0.2)
FULL: Final = Shed("queue-full")
UNAVAILABLE: Final = Shed("queue-unavailable")


class FakeStore:
    """Returns job ids and raises errors in the given order."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self.outcomes = list(outcomes)

    async def submit(self, payload: bytes, provisional: object) -> str:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def queue_of(store: FakeStore) -> RefinementQueue:
    return RefinementQueue(store, timeout=timedelta(seconds=1), cooldown=COOLDOWN)


async def submit(queue: RefinementQueue, times: int) -> list[Accepted | Shed]:
    return [await queue.submit(b"", PROVISIONAL) for _ in range(times)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("proxy.refinement_queue.time.monotonic", lambda: now[0])
    return now


async def test_after_a_failure_jobs_are_shed_without_trying_during_the_cooldown(clock: list[float]) -> None:
    store = FakeStore(StoreUnavailable("gone"), "not tried")
    assert await submit(queue_of(store), 3) == [UNAVAILABLE] * 3
    assert store.outcomes == ["not tried"]


async def test_the_first_success_after_the_cooldown_closes_the_circuit_breaker(clock: list[float]) -> None:
    queue = queue_of(FakeStore(StoreUnavailable("gone"), "a", "b"))
    assert await submit(queue, 2) == [UNAVAILABLE, UNAVAILABLE]
    clock[0] += 0.21
    assert await submit(queue, 2) == [Accepted("a"), Accepted("b")]


async def test_a_full_queue_closes_the_circuit_breaker_too(clock: list[float]) -> None:
    queue = queue_of(FakeStore(StoreUnavailable("gone"), QueueFull(), QueueFull(), "a"))
    assert await submit(queue, 1) == [UNAVAILABLE]
    clock[0] += 0.21
    assert await submit(queue, 3) == [FULL, FULL, Accepted("a")]
