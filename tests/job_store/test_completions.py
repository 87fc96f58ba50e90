import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from harness.process import PYTHON, Process
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import Completions, Job, JobStatus, JobStore, StoreUnavailable, connect
from tests.job_store.flaky_network import FlakyNetwork
from tests.job_store.inspection import expire_job, is_subscribed, reads, run_event_loop, sent_commands, subscribers
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit

SHORT_TIMEOUT: Final = timedelta(milliseconds=100)
LONG_TIMEOUT: Final = timedelta(seconds=20)
MAX_WAIT_S: Final = LONG_TIMEOUT.total_seconds() / 2
"""A wait with `LONG_TIMEOUT` that lasts longer than this has missed the notification."""


@pytest_asyncio.fixture
async def completions(store: JobStore) -> AsyncIterator[Completions]:
    completions = Completions(store.redis, store)
    async with completions.subscription():
        await wait_until(lambda: is_subscribed(store))
        yield completions
    assert completions._waiters == {}, "no waiter is left behind"
    assert not await is_subscribed(store)


async def start_waiting(completions: Completions, store: JobStore, *job_ids: str) -> list[asyncio.Task[Job | None]]:
    """Start waiters and return once each has read its job, which has not ended, and waits for a notification."""
    await store.redis.config_resetstat()
    waiters = [asyncio.create_task(completions.wait(job_id, LONG_TIMEOUT)) for job_id in job_ids]

    async def all_have_read() -> bool:
        return await reads(store) == len(job_ids)

    await wait_until(all_have_read)
    return waiters


async def result_of(waiter: asyncio.Task[Job | None]) -> Job:
    job = await asyncio.wait_for(waiter, MAX_WAIT_S)
    assert job
    return job


async def test_a_waiter_receives_the_job_when_it_succeeds(store: JobStore, completions: Completions) -> None:
    (job_id,) = await submit(store, b"payload")
    (waiter,) = await start_waiting(completions, store, job_id)
    await store.finish(await claim_one(store), SIAMESE)
    assert await result_of(waiter) == await get_job(store, job_id)
    assert (await result_of(waiter)).output == SIAMESE


async def test_a_waiter_receives_the_job_when_it_fails(store: JobStore, completions: Completions) -> None:
    (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
    await store.fail(await claim_one(store), "broken")
    assert (await result_of(waiter)).error == "broken"


async def test_a_waiter_is_woken_by_a_job_that_ends_in_another_process(
    store: JobStore, completions: Completions, redis_server: RedisServer, tmp_path: Path
) -> None:
    (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
    racer = [PYTHON, "-m", "tests.job_store.racer", redis_server.url, "seed", "0"]
    with Process(racer, {}, tmp_path / "racer.log"):
        assert (await result_of(waiter)).status.is_final


async def test_all_waiters_share_one_subscription(store: JobStore, completions: Completions) -> None:
    ids = await submit(store, b"1", b"2")
    waiters = await start_waiting(completions, store, *ids * 150)
    assert len(await subscribers(store)) == 1
    for claim in (await store.claim(2)).claims:
        await store.finish(claim, {"of": claim.job_id})
    jobs = [await result_of(waiter) for waiter in waiters]
    assert [job.output for job in jobs] == [{"of": job_id} for job_id in ids * 150]


async def test_only_the_waiters_for_the_ended_job_read_again(store: JobStore, completions: Completions) -> None:
    ids = await submit(store, b"1", b"2")
    first, second = await start_waiting(completions, store, *ids)
    await store.finish(await claim_one(store), SIAMESE)
    await result_of(first)
    assert await reads(store) == 3
    await store.finish(await claim_one(store), SIAMESE)
    await result_of(second)


async def test_a_waiter_sends_no_commands(store: JobStore, completions: Completions) -> None:
    (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
    async with sent_commands(store.redis) as commands:
        await asyncio.wait([waiter], timeout=0.5)
    assert commands == []
    await store.finish(await claim_one(store), SIAMESE)
    await result_of(waiter)


async def test_a_waiter_reads_once_and_waits_on_after_a_false_notification(
    store: JobStore, completions: Completions
) -> None:
    (job_id,) = await submit(store, b"payload")
    (waiter,) = await start_waiting(completions, store, job_id)
    await store.redis.publish(store.keys.ended, job_id)

    async def has_read_again() -> bool:
        return await reads(store) > 1

    await wait_until(has_read_again)
    async with sent_commands(store.redis) as commands:
        await asyncio.wait([waiter], timeout=0.3)
    assert commands == []
    await store.finish(await claim_one(store), SIAMESE)
    await result_of(waiter)


async def test_an_invalid_id_on_the_channel_does_not_end_the_subscription(
    store: JobStore, completions: Completions
) -> None:
    (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
    await store.redis.publish(store.keys.ended, b"\xff\xfe not an id")
    await store.finish(await claim_one(store), SIAMESE)
    assert (await result_of(waiter)).status is JobStatus.SUCCEEDED


async def test_a_wait_for_an_unknown_job_returns_immediately(completions: Completions) -> None:
    assert await asyncio.wait_for(completions.wait("unknown", LONG_TIMEOUT), MAX_WAIT_S) is None


@pytest.mark.parametrize("timeout", [SHORT_TIMEOUT, timedelta(0)], ids=["short", "zero"])
async def test_a_waiter_receives_the_unfinished_job_after_its_timeout(
    store: JobStore, completions: Completions, timeout: timedelta
) -> None:
    (job_id,) = await submit(store, b"payload")
    await claim_one(store)
    job = await completions.wait(job_id, timeout)
    assert job
    assert job.status is JobStatus.PROCESSING


async def test_a_waiter_receives_none_when_the_job_expires(store: JobStore, completions: Completions) -> None:
    (job_id,) = await submit(store, b"payload")
    waiter = asyncio.create_task(completions.wait(job_id, SHORT_TIMEOUT))
    await expire_job(store, job_id)
    assert await waiter is None


async def test_a_job_that_has_ended_is_returned_immediately_without_a_subscription(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.finish(await claim_one(store), SIAMESE)
    job = await asyncio.wait_for(Completions(store.redis, store).wait(job_id, LONG_TIMEOUT), MAX_WAIT_S)
    assert job == await get_job(store, job_id)


async def test_a_new_subscription_finds_jobs_that_ended_before_it(store: JobStore) -> None:
    completions = Completions(store.redis, store)
    (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
    await store.finish(await claim_one(store), SIAMESE)
    async with completions.subscription():
        assert (await result_of(waiter)).output == SIAMESE


async def test_a_cancelled_waiter_is_removed_and_the_others_remain(store: JobStore, completions: Completions) -> None:
    (job_id,) = await submit(store, b"payload")
    cancelled, remaining = await start_waiting(completions, store, job_id, job_id)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert len(completions._waiters[job_id]) == 1
    await store.finish(await claim_one(store), SIAMESE)
    await result_of(remaining)


async def test_a_subscription_can_be_closed_at_any_moment(store: JobStore) -> None:
    for turns in range(40):
        async with asyncio.timeout(MAX_WAIT_S), Completions(store.redis, store).subscription():
            await run_event_loop(turns)
    assert await subscribers(store) == []


async def test_a_wait_without_redis_raises_store_unavailable(own_redis_server: RedisServer) -> None:
    async with own_redis_server.client() as redis:
        completions = Completions(redis, JobStore(redis))
        async with completions.subscription():
            with pytest.raises(StoreUnavailable):
                await completions.wait("id", LONG_TIMEOUT)


async def test_a_lost_connection_loses_no_result(store: JobStore, completions: Completions) -> None:
    for _ in range(5):
        (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
        await store.redis.client_kill_filter(_type="pubsub")
        await store.finish(await claim_one(store), SIAMESE)
        assert (await result_of(waiter)).output == SIAMESE


async def test_waiters_survive_a_restart_of_redis(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        completions = Completions(redis, store)
        async with completions.subscription():
            await wait_until(lambda: is_subscribed(store))
            (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
            await redis.config_set("appendfsync", "always")
            own_redis_server.kill()
            with pytest.raises(StoreUnavailable):
                await store.claim(1)
            await own_redis_server.start()
            await wait_until(lambda: is_subscribed(store))
            await store.finish(await claim_one(store), SIAMESE)
            assert (await result_of(waiter)).output == SIAMESE


async def test_a_dead_connection_is_detected_and_replaced(
    redis_server: RedisServer, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_store.completions.PING_INTERVAL", SHORT_TIMEOUT)
    async with (
        FlakyNetwork(redis_server.port) as network,
        connect(network.url, name="flaky", timeout=LONG_TIMEOUT) as flaky,
    ):
        completions = Completions(flaky, store)
        async with completions.subscription():
            await wait_until(lambda: is_subscribed(store))
            (waiter,) = await start_waiting(completions, store, *await submit(store, b"payload"))
            before = await subscribers(store)
            network.freeze_connections()
            await store.finish(await claim_one(store), SIAMESE)
            assert (await result_of(waiter)).output == SIAMESE
            assert set(await subscribers(store)) - set(before), "it subscribes over another connection"


async def test_an_idle_connection_is_kept(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_store.completions.PING_INTERVAL", 5 * SHORT_TIMEOUT)
    completions = Completions(store.redis, store)
    async with completions.subscription():
        await wait_until(lambda: is_subscribed(store))
        before = await subscribers(store)
        await store.redis.config_resetstat()

        async def has_been_pinged_twice() -> bool:
            return bool((await store.redis.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0) >= 2)

        await wait_until(has_been_pinged_twice)
        assert await subscribers(store) == before
