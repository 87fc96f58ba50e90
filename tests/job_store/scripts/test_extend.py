from job_store import JobStatus, JobStore
from tests.job_store.inspection import expire_lease
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit


async def test_extending_renews_the_lease(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    await expire_lease(store, job_id)
    assert await store.extend(claim)
    assert (await store.claim(1)).claims == [], "no other worker can claim it"
    assert await store.finish(claim, SIAMESE)


async def test_extending_does_not_count_as_an_attempt(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    for _ in range(10):
        assert await store.extend(claim)
    job = await get_job(store, job_id)
    assert (job.status, job.attempts) == (JobStatus.PROCESSING, 1)
