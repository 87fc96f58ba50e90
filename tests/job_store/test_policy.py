from datetime import timedelta

import pytest
from redis.asyncio import Redis

from harness.waiting import wait_until
from job_store import DeadLetters, JobStore, Policy
from tests.job_store.inspection import keys
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit

PENDING = timedelta(hours=2)
ENDED = timedelta(minutes=5)


@pytest.fixture
def store(redis: Redis) -> JobStore:
    return JobStore(redis, Policy(pending_ttl=PENDING, job_ttl=ENDED))


async def lives(redis: Redis, key: str) -> timedelta:
    """The key's time to live, to the minute."""
    return timedelta(minutes=round(await redis.pttl(key) / 60_000))


async def shorten_lives(redis: Redis) -> None:
    for key in await keys(redis):
        await redis.expire(key, 60)


async def test_a_job_that_waits_lives_as_long_as_it_may_wait(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    assert {key: await lives(store.redis, key) for key in await keys(store.redis)} == {
        store.keys.job(job_id): PENDING,
        store.keys.payload(job_id): PENDING,
        store.keys.backlog: PENDING,
    }


async def test_each_attempt_starts_its_life_anew(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await shorten_lives(store.redis)
    await claim_one(store)
    for key in (store.keys.job(job_id), store.keys.payload(job_id), store.keys.backlog):
        assert await lives(store.redis, key) == PENDING


async def test_the_backlog_outlives_the_jobs_in_it(store: JobStore) -> None:
    await submit(store, b"payload")
    claim = await claim_one(store)
    await shorten_lives(store.redis)
    await store.requeue(claim, counts=True)
    assert await lives(store.redis, store.keys.backlog) == PENDING
    await shorten_lives(store.redis)
    await submit(store, b"another")
    assert await lives(store.redis, store.keys.backlog) == PENDING


async def test_an_idle_worker_leaves_nothing_that_lives_for_ever(store: JobStore) -> None:
    await store.claim(1)
    assert await lives(store.redis, store.keys.backlog) == PENDING


async def test_an_ended_job_lives_as_long_as_it_can_be_fetched(store: JobStore) -> None:
    succeeded, failed = await submit(store, b"1", b"2")
    await store.finish(await claim_one(store), SIAMESE)
    await store.fail(await claim_one(store), "broken")
    assert {key: await lives(store.redis, key) for key in await keys(store.redis)} == {
        store.keys.job(succeeded): ENDED,
        store.keys.job(failed): ENDED,
        store.keys.payload(failed): ENDED,
        store.keys.dead_letters: ENDED,
        store.keys.backlog: PENDING,
    }
    job = await get_job(store, succeeded)
    assert job.completed_at
    assert abs(job.expires_at - job.completed_at - ENDED) < timedelta(seconds=1)


async def test_a_replayed_job_may_wait_as_long_as_a_new_one(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.fail(await claim_one(store), "broken")
    await shorten_lives(store.redis)
    await DeadLetters(store.redis, store).replay(job_id)
    assert {key: await lives(store.redis, key) for key in await keys(store.redis)} == {
        store.keys.job(job_id): PENDING,
        store.keys.payload(job_id): PENDING,
        store.keys.backlog: PENDING,
    }


async def test_once_their_time_is_over_nothing_is_left(redis: Redis) -> None:
    store = JobStore(redis, Policy(pending_ttl=timedelta(seconds=1), job_ttl=timedelta(seconds=1)))
    await submit(store, *[b"payload"] * 4)
    await store.finish(await claim_one(store), SIAMESE)
    await store.fail(await claim_one(store), "broken")
    await claim_one(store)

    assert await keys(redis) != set()
    await wait_until(lambda: nothing_is_left(redis))


async def nothing_is_left(redis: Redis) -> bool:
    return await keys(redis) == set()
