import pytest
from redis.asyncio import Redis

from job_store import JobStatus, JobStore, Policy
from tests.job_store.inspection import backlog, pending
from tests.job_store.jobs import claim_one, get_job, submit


@pytest.mark.parametrize(("counts", "attempts"), [(True, 1), (False, 0)])
async def test_a_requeued_job_is_queued_at_the_end_of_the_backlog(store: JobStore, counts: bool, attempts: int) -> None:
    requeued, other = await submit(store, b"requeued", b"other")
    assert await store.requeue(await claim_one(store), counts=counts)
    job = await get_job(store, requeued)
    assert (job.status, job.attempts) == (JobStatus.QUEUED, attempts)
    assert await backlog(store) == [other, requeued]
    assert await pending(store) == []
    claims = (await store.claim(2)).claims
    assert [(claim.job_id, claim.attempt) for claim in claims] == [(other, 1), (requeued, attempts + 1)]
    assert claims[1].payload == b"requeued"


async def test_attempts_that_do_not_count_are_not_used_up(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_attempts=1))
    (job_id,) = await submit(store, b"payload")
    for _ in range(5):
        assert await store.requeue(await claim_one(store), counts=False)
    assert await store.requeue(await claim_one(store), counts=True)
    assert (await store.claim(1)).claims == []
    assert (await get_job(store, job_id)).status is JobStatus.FAILED
