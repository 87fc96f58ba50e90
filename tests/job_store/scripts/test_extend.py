from datetime import timedelta

from redis.asyncio import Redis

from job_store import JobStatus, JobStore, Policy
from tests.job_store.inspection import expire_lease, keys
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit


async def test_extending_renews_the_lease(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    await expire_lease(store, job_id)
    assert await store.extend(claim)
    result = await store.claim(1)
    assert (result.claims, result.has_expired_leases) == ([], False), "no other worker can claim it"
    assert await store.finish(claim, SIAMESE)


async def test_extending_renews_the_times_to_live_of_a_job_in_the_hands_of_a_living_worker(redis: Redis) -> None:
    store = JobStore(redis, Policy(pending_ttl=timedelta(hours=2)))
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    for key in await keys(redis):
        await redis.expire(key, 60)
    assert await store.extend(claim)
    for key in (store.keys.job(job_id), store.keys.payload(job_id), store.keys.backlog):
        assert await redis.ttl(key) > 7_000


async def test_extending_does_not_count_as_an_attempt(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    for _ in range(10):
        assert await store.extend(claim)
    job = await get_job(store, job_id)
    assert (job.status, job.attempts) == (JobStatus.PROCESSING, 1)
