from redis.asyncio import Redis

from job_store import JobStatus, JobStore


async def test_a_submitted_job_is_queued_and_can_be_found(redis: Redis) -> None:
    store = JobStore(redis)
    job_id = await store.submit(b"image", {"label": "Persian cat"})
    job = await store.find(job_id)
    assert job
    assert job.status is JobStatus.QUEUED
    assert job.provisional == {"label": "Persian cat"}
