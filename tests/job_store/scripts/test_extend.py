from job_store import JobStatus, JobStore
from tests.job_store.inspection import expire_lease
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit


async def test_an_extended_lease_starts_anew(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    await expire_lease(store, job_id)
    assert await store.extend(claim)
    assert (await store.claim(1)).claims == [], "nobody else may take it"
    assert await store.finish(claim, SIAMESE)


async def test_an_extended_job_stays_the_same_attempt(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    for _ in range(10):
        assert await store.extend(claim)
    job = await get_job(store, job_id)
    assert (job.status, job.attempts) == (JobStatus.PROCESSING, 1)
