import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import BacklogListener, JobStore, StoreUnavailable
from job_store.keys import Keys
from tests.job_store.inspection import contents, run_event_loop, sent_commands, stall
from tests.job_store.jobs import SIAMESE, claim_one, submit

BLOCK_FOR: Final = timedelta(seconds=4)
WAKE_TIMEOUT_S: Final = 2.0
"""Shorter than `BLOCK_FOR`, so that a wait that only times out fails the test."""


def connect_listener(
    server: RedisServer, block_for: timedelta, margin: timedelta = timedelta(seconds=1)
) -> BacklogListener:
    return BacklogListener.connect(server.url, name="listener", keys=Keys(), block_for=block_for, margin=margin)


@pytest_asyncio.fixture
async def listener(redis_server: RedisServer) -> AsyncIterator[BacklogListener]:
    listener = connect_listener(redis_server, BLOCK_FOR)
    yield listener
    await listener.redis.aclose()


async def wait_for_blocked_clients(redis: Redis, count: int) -> None:
    async def all_are_blocked() -> bool:
        return bool((await redis.info("clients"))["blocked_clients"] == count)

    await wait_until(all_are_blocked)


async def start_waiting(store: JobStore, listener: BacklogListener) -> asyncio.Task[None]:
    """Claim nothing, then start a wait and return once it blocks in Redis."""
    waiting = asyncio.create_task(listener.wait((await store.claim(1)).last_entry))
    await wait_for_blocked_clients(store.redis, 1)
    return waiting


async def test_a_submitted_job_wakes_a_waiting_worker(store: JobStore, listener: BacklogListener) -> None:
    waiting = await start_waiting(store, listener)
    (job_id,) = await submit(store, b"payload")
    await asyncio.wait_for(waiting, WAKE_TIMEOUT_S)
    assert (await claim_one(store)).job_id == job_id


async def test_a_requeued_job_wakes_a_waiting_worker(store: JobStore, listener: BacklogListener) -> None:
    await submit(store, b"payload")
    claim = await claim_one(store)
    waiting = await start_waiting(store, listener)
    await store.requeue(claim, counts=True)
    await asyncio.wait_for(waiting, WAKE_TIMEOUT_S)


async def test_a_wait_returns_immediately_for_a_job_submitted_since_the_claim(
    store: JobStore, listener: BacklogListener
) -> None:
    last_entry = (await store.claim(1)).last_entry
    await submit(store, b"payload")
    await asyncio.wait_for(listener.wait(last_entry), WAKE_TIMEOUT_S)


async def test_a_job_that_is_already_claimed_does_not_end_a_wait(store: JobStore, redis_server: RedisServer) -> None:
    await submit(store, b"1", b"2")
    await store.finish(await claim_one(store), SIAMESE)
    await claim_one(store)
    listener = connect_listener(redis_server, timedelta(milliseconds=200))
    last_entry = (await store.claim(1)).last_entry
    start = time.monotonic()
    await listener.wait(last_entry)
    assert time.monotonic() - start >= 0.2
    await listener.redis.aclose()


async def test_a_wait_changes_nothing_in_redis(store: JobStore, listener: BacklogListener) -> None:
    await submit(store, b"payload")
    before = await contents(store.redis)
    await listener.wait("0-0")
    assert await contents(store.redis) == before


async def test_a_cancelled_wait_loses_no_job_and_the_next_wait_works(
    store: JobStore, listener: BacklogListener
) -> None:
    for _ in range(20):
        waiting = await start_waiting(store, listener)
        (job_id,) = await submit(store, b"payload")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        claim = await claim_one(store)
        assert claim.job_id == job_id
        await store.finish(claim, SIAMESE)
        await wait_for_blocked_clients(store.redis, 0)


async def test_a_wait_cancelled_at_any_moment_ends_after_block_for_at_the_latest(
    store: JobStore, redis_server: RedisServer
) -> None:
    listener = connect_listener(redis_server, timedelta(milliseconds=100))
    last_entry = (await store.claim(1)).last_entry
    for turns in range(40):
        waiting = asyncio.create_task(listener.wait(last_entry))
        await run_event_loop(turns)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=WAKE_TIMEOUT_S)
        assert waiting.cancelled(), f"when cancelled after {turns} turns of the event loop"
    await listener.redis.aclose()


async def test_an_idle_worker_sends_one_command_for_each_wait(store: JobStore, redis_server: RedisServer) -> None:
    listener = connect_listener(redis_server, timedelta(milliseconds=200))
    last_entry = (await store.claim(1)).last_entry
    await listener.wait(last_entry)
    async with sent_commands(store.redis) as commands:
        for _ in range(3):
            await listener.wait(last_entry)
    assert commands == ["XREAD"] * 3
    await listener.redis.aclose()


async def test_all_idle_workers_are_woken_and_one_claims_the_job(store: JobStore, redis_server: RedisServer) -> None:
    last_entry = (await store.claim(1)).last_entry
    listeners = [connect_listener(redis_server, BLOCK_FOR) for _ in range(10)]
    waits = asyncio.gather(*(listener.wait(last_entry) for listener in listeners))
    await wait_for_blocked_clients(store.redis, len(listeners))
    await submit(store, b"payload")
    await asyncio.wait_for(waits, WAKE_TIMEOUT_S)
    results = await asyncio.gather(*(store.claim(1) for _ in listeners))
    assert sum(len(result.claims) for result in results) == 1
    for listener in listeners:
        await listener.redis.aclose()


async def test_a_stalled_redis_is_reported_a_margin_after_block_for(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    listener = connect_listener(own_redis_server, timedelta(milliseconds=200), margin=timedelta(milliseconds=200))
    await listener.wait("0-0")
    with stall(own_redis_server), pytest.raises(StoreUnavailable):
        await asyncio.wait_for(listener.wait("0-0"), WAKE_TIMEOUT_S)
    await listener.wait("0-0")
    await listener.redis.aclose()


async def test_a_killed_redis_is_reported_immediately_and_reconnected_to_after_its_restart(
    own_redis_server: RedisServer,
) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store, listener = JobStore(redis), connect_listener(own_redis_server, BLOCK_FOR)
        waiting = await start_waiting(store, listener)
        own_redis_server.kill()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(waiting, WAKE_TIMEOUT_S)
        await own_redis_server.start()
        waiting = await start_waiting(store, listener)
        await submit(store, b"payload")
        await asyncio.wait_for(waiting, WAKE_TIMEOUT_S)
        await listener.redis.aclose()
