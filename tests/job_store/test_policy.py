from datetime import timedelta
from typing import Final

import pytest
from redis.asyncio import Redis

from harness.waiting import wait_until
from job_store import DeadLetters, JobStore, Policy
from tests.job_store.inspection import keys
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit

PENDING_TTL: Final = timedelta(hours=2)
JOB_TTL: Final = timedelta(minutes=5)


@pytest.fixture
def store(redis: Redis) -> JobStore:
    return JobStore(redis, Policy(pending_ttl=PENDING_TTL, job_ttl=JOB_TTL))


async def ttl(redis: Redis, key: str) -> timedelta:
    """Return the key's time to live, rounded to minutes."""
    return timedelta(minutes=round(await redis.pttl(key) / 60_000))


async def shorten_ttls(redis: Redis) -> None:
    for key in await keys(redis):
        await redis.expire(key, 60)


async def test_a_queued_job_is_kept_for_pending_ttl(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    assert {key: await ttl(store.redis, key) for key in await keys(store.redis)} == {
        store.keys.job(job_id): PENDING_TTL,
        store.keys.payload(job_id): PENDING_TTL,
        store.keys.backlog: PENDING_TTL,
    }


async def test_each_attempt_renews_the_ttl(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await shorten_ttls(store.redis)
    await claim_one(store)
    for key in (store.keys.job(job_id), store.keys.payload(job_id), store.keys.backlog):
        assert await ttl(store.redis, key) == PENDING_TTL


async def test_each_use_of_the_backlog_renews_its_ttl(store: JobStore) -> None:
    await submit(store, b"payload")
    claim = await claim_one(store)
    await shorten_ttls(store.redis)
    await store.requeue(claim, counts=True)
    assert await ttl(store.redis, store.keys.backlog) == PENDING_TTL
    await shorten_ttls(store.redis)
    await submit(store, b"another")
    assert await ttl(store.redis, store.keys.backlog) == PENDING_TTL


async def test_a_backlog_created_by_an_idle_worker_has_a_ttl(store: JobStore) -> None:
    await store.claim(1)
    assert await ttl(store.redis, store.keys.backlog) == PENDING_TTL


async def test_an_ended_job_is_kept_for_job_ttl(store: JobStore) -> None:
    succeeded, failed = await submit(store, b"1", b"2")
    await store.finish(await claim_one(store), SIAMESE)
    await store.fail(await claim_one(store), "broken")
    assert {key: await ttl(store.redis, key) for key in await keys(store.redis)} == {
        store.keys.job(succeeded): JOB_TTL,
        store.keys.job(failed): JOB_TTL,
        store.keys.payload(failed): JOB_TTL,
        store.keys.dead_letters: JOB_TTL,
        store.keys.dead_letter_bytes: JOB_TTL,
        store.keys.backlog: PENDING_TTL,
    }
    job = await get_job(store, succeeded)
    assert job.completed_at
    assert abs(job.expires_at - job.completed_at - JOB_TTL) < timedelta(seconds=1)


async def test_a_replayed_job_is_kept_as_long_as_a_new_one(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.fail(await claim_one(store), "broken")
    await shorten_ttls(store.redis)
    await DeadLetters(store.redis, store).replay(job_id)
    await store.redis.delete(store.keys.dead_letter_bytes)
    assert {key: await ttl(store.redis, key) for key in await keys(store.redis)} == {
        store.keys.job(job_id): PENDING_TTL,
        store.keys.payload(job_id): PENDING_TTL,
        store.keys.backlog: PENDING_TTL,
    }


async def test_nothing_is_left_once_all_ttls_are_over(redis: Redis) -> None:
    store = JobStore(redis, Policy(pending_ttl=timedelta(seconds=1), job_ttl=timedelta(seconds=1)))
    await submit(store, *[b"payload"] * 4)
    await store.finish(await claim_one(store), SIAMESE)
    await store.fail(await claim_one(store), "broken")
    await claim_one(store)

    assert await keys(redis) != set()
    await wait_until(lambda: nothing_is_left(redis))


async def nothing_is_left(redis: Redis) -> bool:
    return await keys(redis) == set()
