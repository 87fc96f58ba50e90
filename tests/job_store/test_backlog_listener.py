import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import BacklogListener, JobStore, StoreUnavailable
from job_store.keys import Keys
from tests.job_store.inspection import contents, run_event_loop, sent_commands, stall
from tests.job_store.jobs import SIAMESE, claim_one, submit

PATIENCE = timedelta(seconds=4)
IN_TIME = 2.0  # seconds: sooner than patience would end


def hang_bell(server: RedisServer, block_for: timedelta, margin: timedelta = timedelta(seconds=1)) -> BacklogListener:
    return BacklogListener.connect(server.url, name="bell", keys=Keys(), block_for=block_for, margin=margin)


@pytest_asyncio.fixture
async def bell(redis_server: RedisServer) -> AsyncIterator[BacklogListener]:
    bell = hang_bell(redis_server, PATIENCE)
    yield bell
    await bell.redis.aclose()


async def someone_waits(redis: Redis) -> bool:
    return bool((await redis.info("clients"))["blocked_clients"] == 1)


async def nobody_waits(redis: Redis) -> bool:
    return not await someone_waits(redis)


async def wait_idle(store: JobStore, bell: BacklogListener) -> asyncio.Task[None]:
    """A worker that found nothing and waits, blocked in Redis."""
    waiting = asyncio.create_task(bell.wait((await store.claim(1)).last_entry))
    await wait_until(lambda: someone_waits(store.redis))
    return waiting


async def test_a_submit_wakes_the_worker_that_waits(store: JobStore, bell: BacklogListener) -> None:
    waiting = await wait_idle(store, bell)
    (job_id,) = await submit(store, b"payload")
    await asyncio.wait_for(waiting, IN_TIME)
    assert (await claim_one(store)).job_id == job_id


async def test_a_job_given_back_wakes_the_worker_that_waits(store: JobStore, bell: BacklogListener) -> None:
    await submit(store, b"payload")
    claim = await claim_one(store)
    waiting = await wait_idle(store, bell)
    await store.requeue(claim, counts=True)
    await asyncio.wait_for(waiting, IN_TIME)


async def test_a_job_submitted_since_the_claim_is_not_waited_for(store: JobStore, bell: BacklogListener) -> None:
    found_nothing = await store.claim(1)
    await submit(store, b"payload")
    await asyncio.wait_for(bell.wait(found_nothing.last_entry), IN_TIME)


async def test_a_job_that_others_already_have_wakes_nobody(store: JobStore, redis_server: RedisServer) -> None:
    await submit(store, b"1", b"2")
    await store.finish(await claim_one(store), SIAMESE)
    await claim_one(store)
    bell = hang_bell(redis_server, timedelta(milliseconds=200))
    found_nothing = await store.claim(1)
    began = time.monotonic()
    await bell.wait(found_nothing.last_entry)
    assert time.monotonic() - began >= 0.2
    await bell.redis.aclose()


async def test_a_bell_looks_and_takes_nothing(store: JobStore, bell: BacklogListener) -> None:
    await submit(store, b"payload")
    before = await contents(store.redis)
    await bell.wait("0-0")
    assert await contents(store.redis) == before


async def test_a_wait_that_is_cancelled_loses_no_job_and_the_bell_rings_again(
    store: JobStore, bell: BacklogListener
) -> None:
    for _ in range(20):
        waiting = await wait_idle(store, bell)
        (job_id,) = await submit(store, b"payload")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        claim = await claim_one(store)
        assert claim.job_id == job_id
        await store.finish(claim, SIAMESE)
        await wait_until(lambda: nobody_waits(store.redis))


async def test_a_wait_cancelled_at_whatever_moment_ends_with_its_patience_at_the_latest(
    store: JobStore, redis_server: RedisServer
) -> None:
    bell = hang_bell(redis_server, timedelta(milliseconds=100))
    last_entry = (await store.claim(1)).last_entry
    for moment in range(40):
        waiting = asyncio.create_task(bell.wait(last_entry))
        await run_event_loop(moment)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=IN_TIME)
        assert waiting.cancelled(), f"not when {moment} steps had passed"
    await bell.redis.aclose()


async def test_an_idle_worker_sends_one_command_in_all_its_patience(store: JobStore, redis_server: RedisServer) -> None:
    bell = hang_bell(redis_server, timedelta(milliseconds=200))
    last_entry = (await store.claim(1)).last_entry
    await bell.wait(last_entry)
    async with sent_commands(store.redis) as commands:
        for _ in range(3):
            await bell.wait(last_entry)
    assert commands == ["XREAD"] * 3
    await bell.redis.aclose()


async def test_many_idle_workers_are_all_woken_and_one_gets_the_job(store: JobStore, redis_server: RedisServer) -> None:
    last_entry = (await store.claim(1)).last_entry
    bells = [hang_bell(redis_server, PATIENCE) for _ in range(10)]
    waits = asyncio.gather(*(bell.wait(last_entry) for bell in bells))

    async def all_wait() -> bool:
        return bool((await store.redis.info("clients"))["blocked_clients"] == len(bells))

    await wait_until(all_wait)
    await submit(store, b"payload")
    await asyncio.wait_for(waits, IN_TIME)
    results = await asyncio.gather(*(store.claim(1) for _ in bells))
    assert sum(len(result.claims) for result in results) == 1
    for bell in bells:
        await bell.redis.aclose()


async def test_a_redis_that_hangs_is_noticed_a_margin_after_patience_has_ended(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    bell = hang_bell(own_redis_server, timedelta(milliseconds=200), margin=timedelta(milliseconds=200))
    await bell.wait("0-0")
    with stall(own_redis_server), pytest.raises(StoreUnavailable):
        await asyncio.wait_for(bell.wait("0-0"), IN_TIME)
    await bell.wait("0-0")
    await bell.redis.aclose()


async def test_a_redis_that_goes_away_is_noticed_at_once_and_found_when_it_is_back(
    own_redis_server: RedisServer,
) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store, bell = JobStore(redis), hang_bell(own_redis_server, PATIENCE)
        waiting = await wait_idle(store, bell)
        own_redis_server.kill()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(waiting, IN_TIME)
        await own_redis_server.start()
        waiting = await wait_idle(store, bell)
        await submit(store, b"payload")
        await asyncio.wait_for(waiting, IN_TIME)
        await bell.redis.aclose()
