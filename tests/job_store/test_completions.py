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
from job_store import completions as ends_module
from tests.job_store.flaky_network import FlakyNetwork
from tests.job_store.inspection import expire_job, run_event_loop, sent_commands
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit

SOON: Final = timedelta(milliseconds=100)
LONG: Final = timedelta(seconds=20)
"""More than any answer takes to come: a wait that lasts as long has missed it."""


@pytest_asyncio.fixture
async def ends(store: JobStore) -> AsyncIterator[Completions]:
    ends = Completions(store.redis, store)
    async with ends.listening():
        await wait_until(lambda: someone_listens(store))
        yield ends
    assert ends._waiters == {}, "waiters left behind"
    assert not await someone_listens(store)


async def listeners(store: JobStore) -> list[str]:
    """The subscribed connections, each by its number."""
    return [client["id"] for client in await store.redis.client_list(_type="pubsub")]


async def someone_listens(store: JobStore) -> bool:
    return bool((await store.redis.pubsub_numsub(store.keys.ended))[0][1])


async def looks(store: JobStore) -> int:
    """How often jobs have been looked up since the last `config_resetstat`."""
    commands = await store.redis.info("commandstats")
    return int(commands["cmdstat_hgetall"]["calls"]) if "cmdstat_hgetall" in commands else 0


async def start_waiting(ends: Completions, store: JobStore, *job_ids: str) -> list[asyncio.Task[Job | None]]:
    """Waiters that have looked, have found their jobs not ended, and sleep until they are woken."""
    await store.redis.config_resetstat()
    waiters = [asyncio.create_task(ends.wait(job_id, LONG)) for job_id in job_ids]

    async def all_have_looked() -> bool:
        return await looks(store) == len(job_ids)

    await wait_until(all_have_looked)
    return waiters


async def result(waiter: asyncio.Task[Job | None]) -> Job:
    job = await asyncio.wait_for(waiter, LONG.total_seconds() / 2)
    assert job
    return job


async def test_a_waiter_gets_the_job_when_it_succeeds(store: JobStore, ends: Completions) -> None:
    (job_id,) = await submit(store, b"payload")
    (waiter,) = await start_waiting(ends, store, job_id)
    await store.finish(await claim_one(store), SIAMESE)
    assert await result(waiter) == await get_job(store, job_id)
    assert (await result(waiter)).output == SIAMESE


async def test_a_waiter_gets_the_job_when_it_fails(store: JobStore, ends: Completions) -> None:
    (waiter,) = await start_waiting(ends, store, *await submit(store, b"payload"))
    await store.fail(await claim_one(store), "broken")
    assert (await result(waiter)).error == "broken"


async def test_a_waiter_is_woken_by_another_process(
    store: JobStore, ends: Completions, redis_server: RedisServer, tmp_path: Path
) -> None:
    (waiter,) = await start_waiting(ends, store, *await submit(store, b"payload"))
    racer = [PYTHON, "-m", "tests.job_store.racer", redis_server.url, "seed", "0"]
    with Process(racer, {}, tmp_path / "racer.log"):
        assert (await result(waiter)).status.is_final


async def test_all_who_wait_are_woken_over_one_subscription(store: JobStore, ends: Completions) -> None:
    ids = await submit(store, b"1", b"2")
    waiters = await start_waiting(ends, store, *ids * 150)
    assert len(await listeners(store)) == 1
    for claim in (await store.claim(2)).claims:
        await store.finish(claim, {"of": claim.job_id})
    jobs = [await result(waiter) for waiter in waiters]
    assert [job.output for job in jobs] == [{"of": job_id} for job_id in ids * 150]


async def test_only_those_who_wait_for_the_job_that_ended_look_again(store: JobStore, ends: Completions) -> None:
    ids = await submit(store, b"1", b"2")
    first, second = await start_waiting(ends, store, *ids)
    await store.finish(await claim_one(store), SIAMESE)
    await result(first)
    assert await looks(store) == 3
    await store.finish(await claim_one(store), SIAMESE)
    await result(second)


async def test_who_waits_asks_redis_nothing(store: JobStore, ends: Completions) -> None:
    (waiter,) = await start_waiting(ends, store, *await submit(store, b"payload"))
    async with sent_commands(store.redis) as commands:
        await asyncio.wait([waiter], timeout=0.5)
    assert commands == []
    await store.finish(await claim_one(store), SIAMESE)
    await result(waiter)


async def test_who_is_woken_for_nothing_looks_once_and_sleeps_on(store: JobStore, ends: Completions) -> None:
    (job_id,) = await submit(store, b"payload")
    (waiter,) = await start_waiting(ends, store, job_id)
    await store.redis.publish(store.keys.ended, job_id)

    async def it_has_looked_again() -> bool:
        return await looks(store) > 1

    await wait_until(it_has_looked_again)
    async with sent_commands(store.redis) as commands:
        await asyncio.wait([waiter], timeout=0.3)
    assert commands == []
    await store.finish(await claim_one(store), SIAMESE)
    await result(waiter)


async def test_what_is_no_id_on_the_channel_is_no_end_of_the_listener(store: JobStore, ends: Completions) -> None:
    [job_id] = await submit(store, b"payload")
    [waiter] = await start_waiting(ends, store, job_id)
    await store.redis.publish(store.keys.ended, b"\xff\xfe no id")
    await store.finish(await claim_one(store), SIAMESE)
    assert (await result(waiter)).status is JobStatus.SUCCEEDED


async def test_a_job_that_never_was_is_not_waited_for(ends: Completions) -> None:
    assert await asyncio.wait_for(ends.wait("unknown", LONG), LONG.total_seconds() / 2) is None


@pytest.mark.parametrize("timeout", [SOON, timedelta(0)], ids=["some time", "no time"])
async def test_when_time_is_up_the_waiter_gets_the_job_as_it_is(
    store: JobStore, ends: Completions, timeout: timedelta
) -> None:
    (job_id,) = await submit(store, b"payload")
    await claim_one(store)
    job = await ends.wait(job_id, timeout)
    assert job
    assert job.status is JobStatus.PROCESSING


async def test_a_job_that_expires_while_it_is_waited_for_is_gone(store: JobStore, ends: Completions) -> None:
    (job_id,) = await submit(store, b"payload")
    waiter = asyncio.create_task(ends.wait(job_id, SOON))
    await expire_job(store, job_id)
    assert await waiter is None


async def test_who_comes_late_gets_the_ended_job_at_once_even_when_nobody_listens(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.finish(await claim_one(store), SIAMESE)
    job = await asyncio.wait_for(Completions(store.redis, store).wait(job_id, LONG), LONG.total_seconds() / 2)
    assert job == await get_job(store, job_id)


async def test_an_end_that_nobody_heard_is_found_as_soon_as_someone_listens(store: JobStore) -> None:
    ends = Completions(store.redis, store)
    (waiter,) = await start_waiting(ends, store, *await submit(store, b"payload"))
    await store.finish(await claim_one(store), SIAMESE)
    async with ends.listening():
        assert (await result(waiter)).output == SIAMESE


async def test_a_waiter_who_goes_away_is_forgotten_and_the_others_are_not(store: JobStore, ends: Completions) -> None:
    (job_id,) = await submit(store, b"payload")
    leaves, stays = await start_waiting(ends, store, job_id, job_id)
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    assert len(ends._waiters[job_id]) == 1
    await store.finish(await claim_one(store), SIAMESE)
    await result(stays)


async def test_listening_can_end_at_whatever_moment(store: JobStore) -> None:
    for moment in range(40):
        async with asyncio.timeout(LONG.total_seconds() / 2), Completions(store.redis, store).listening():
            await run_event_loop(moment)
    assert await listeners(store) == []


async def test_without_redis_there_is_no_waiting(own_redis_server: RedisServer) -> None:
    async with own_redis_server.client() as redis:
        ends = Completions(redis, JobStore(redis))
        async with ends.listening():
            with pytest.raises(StoreUnavailable):
                await ends.wait("id", LONG)


async def test_a_lost_connection_loses_no_end(store: JobStore, ends: Completions) -> None:
    for _ in range(5):
        (waiter,) = await start_waiting(ends, store, *await submit(store, b"payload"))
        await store.redis.client_kill_filter(_type="pubsub")
        await store.finish(await claim_one(store), SIAMESE)
        assert (await result(waiter)).output == SIAMESE


async def test_waiters_outlast_redis(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        ends = Completions(redis, store)
        async with ends.listening():
            await wait_until(lambda: someone_listens(store))
            (waiter,) = await start_waiting(ends, store, *await submit(store, b"payload"))
            await redis.config_set("appendfsync", "always")
            own_redis_server.kill()
            with pytest.raises(StoreUnavailable):
                await store.claim(1)
            await own_redis_server.start()
            await wait_until(lambda: someone_listens(store))
            await store.finish(await claim_one(store), SIAMESE)
            assert (await result(waiter)).output == SIAMESE


async def test_a_connection_that_died_silently_is_noticed_and_replaced(
    redis_server: RedisServer, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends_module, "QUIET", SOON)
    async with FlakyNetwork(redis_server.port) as network, connect(network.url, name="far", timeout=LONG) as far:
        ends = Completions(far, store)
        async with ends.listening():
            await wait_until(lambda: someone_listens(store))
            (waiter,) = await start_waiting(ends, store, *await submit(store, b"payload"))
            deaf = await listeners(store)
            network.freeze_connections()
            await store.finish(await claim_one(store), SIAMESE)
            assert (await result(waiter)).output == SIAMESE
            assert set(await listeners(store)) - set(deaf), "it listens over another connection"


async def test_a_connection_on_which_nothing_happens_is_kept(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends_module, "QUIET", 5 * SOON)
    ends = Completions(store.redis, store)
    async with ends.listening():
        await wait_until(lambda: someone_listens(store))
        before = await listeners(store)
        await store.redis.config_resetstat()

        async def asked_often() -> bool:
            return bool((await store.redis.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0) >= 2)

        await wait_until(asked_often)
        assert await listeners(store) == before
