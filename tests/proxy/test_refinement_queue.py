"""The circuit breaker in front of the queue, and the reasons for shed jobs."""

import asyncio
from datetime import timedelta

import pytest

from harness.redis import RedisServer, redis_url
from job_store import JobStore, Owner, QueueFull, StoreUnavailable, connect
from proxy.refinement_queue import MAX_SLOW_SUBMITS, MAX_SMALL_BYTES, Accepted, RefinementQueue, Shed
from tests.chaos.tcp_link import TcpLink
from tf_serving_client import Prediction

PROVISIONAL = Prediction("m", 1, (("cat", 1.0),))
COOLDOWN = timedelta(seconds=0.2)
GONE = StoreUnavailable("gone")
LARGE = b"x" * (MAX_SMALL_BYTES + 1)
FULL, UNAVAILABLE = Shed("queue-full"), Shed("queue-unavailable")


class FakeStore:
    """Returns job ids and raises errors in the given order. `withdrawals` are the results of `withdraw`."""

    def __init__(self, *outcomes: str | Exception, withdrawals: tuple[bool | Exception, ...] = ()) -> None:
        self.outcomes = list(outcomes)
        self.withdrawals = list(withdrawals)
        self.submitted: list[str] = []
        self.withdrawn: list[str] = []

    async def withdraw(self, job_id: str) -> bool:
        self.withdrawn.append(job_id)
        outcome = self.withdrawals.pop(0) if self.withdrawals else GONE
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def submit(self, payload: bytes, provisional: object, job_id: str, owner: Owner | None) -> str:
        self.submitted.append(job_id)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def queue_of(store: FakeStore) -> RefinementQueue:
    return RefinementQueue(store, timeout=timedelta(seconds=1), cooldown=COOLDOWN)


async def submit(queue: RefinementQueue, times: int, image: bytes = b"") -> list[Accepted | Shed]:
    return [await queue.submit(image, PROVISIONAL) for _ in range(times)]


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


async def test_a_job_that_redis_accepted_without_a_timely_reply_is_accepted(clock: list[float]) -> None:
    store = FakeStore(TimeoutError(), "next", withdrawals=(True,))
    queue = queue_of(store)
    assert await submit(queue, 2) == [Accepted(store.withdrawn[0]), Accepted("next")]
    assert store.withdrawn == store.submitted[:1]


async def test_large_images_that_take_too_long_do_not_open_the_circuit_breaker(clock: list[float]) -> None:
    failures = 2 * MAX_SLOW_SUBMITS
    queue = queue_of(FakeStore(*[TimeoutError()] * failures, "a", withdrawals=(False,) * failures))
    assert await submit(queue, failures, LARGE) == [UNAVAILABLE] * failures
    assert await submit(queue, 1) == [Accepted("a")]


async def test_a_redis_that_is_always_slow_opens_the_circuit_breaker(clock: list[float]) -> None:
    store = FakeStore(*[TimeoutError()] * MAX_SLOW_SUBMITS, "not tried", withdrawals=(False,) * MAX_SLOW_SUBMITS)
    assert await submit(queue_of(store), MAX_SLOW_SUBMITS + 1) == [UNAVAILABLE] * (MAX_SLOW_SUBMITS + 1)
    assert store.outcomes == ["not tried"]


@pytest.mark.slow
async def test_large_images_beside_small_ones_over_a_slow_link_shed_no_small_one(redis_server: RedisServer) -> None:
    """Each shed job is known not to be in Redis, and each accepted one is."""
    async with TcpLink(redis_server.port) as link:
        link.bytes_per_s = 8_000_000
        async with connect(redis_url(link.port), name="test", timeout=timedelta(seconds=10)) as redis:
            store = JobStore(redis)
            await redis.flushall()
            queue = RefinementQueue(store, timeout=timedelta(milliseconds=250), cooldown=timedelta(seconds=1))
            large = [asyncio.create_task(queue.submit(bytes(8_000_000), PROVISIONAL)) for _ in range(3)]
            small = []
            while not all(task.done() for task in large):
                small.append(await queue.submit(b"small", PROVISIONAL))
                await asyncio.sleep(0.02)
            outcomes = [await task for task in large]
            assert UNAVAILABLE not in small
            accepted = [outcome for outcome in [*small, *outcomes] if isinstance(outcome, Accepted)]
            assert await store.backlog_length() == len(accepted)
            assert any(isinstance(outcome, Accepted) for outcome in outcomes)
            await redis.flushall()
