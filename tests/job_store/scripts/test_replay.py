from redis.asyncio import Redis

from job_store import DeadLetters, JobStatus, JobStore, Policy
from tests.job_store.inspection import backlog, contents, expire_lease
from tests.job_store.jobs import SIAMESE, add_dead_letters, claim_one, get_job, submit


async def test_a_replayed_job_is_queued_like_a_new_one(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await add_dead_letters(store, b"payload")
    assert await dead_letters.replay(job_id)
    job = await get_job(store, job_id)
    assert (job.status, job.error, job.attempts) == (JobStatus.QUEUED, None, 0)
    assert (job.started_at, job.completed_at) == (None, None)
    assert await backlog(store) == [job_id]
    assert await dead_letters.list() == []


async def test_a_replayed_job_can_succeed(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await add_dead_letters(store, b"payload")
    await dead_letters.replay(job_id)
    claim = await claim_one(store)
    assert (claim.job_id, claim.payload, claim.attempt) == (job_id, b"payload", 1)
    assert await store.finish(claim, SIAMESE)
    job = await get_job(store, job_id)
    assert (job.status, job.output, job.error) == (JobStatus.SUCCEEDED, SIAMESE, None)


async def test_a_replayed_job_has_all_its_attempts_again(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_attempts=2))
    (job_id,) = await add_dead_letters(store, b"payload")
    await DeadLetters(redis, store).replay(job_id)
    for attempt in (1, 2):
        assert (await claim_one(store)).attempt == attempt
        await expire_lease(store, job_id)
    assert (await store.reclaim()).claims == []
    assert (await get_job(store, job_id)).status is JobStatus.FAILED


async def test_only_a_dead_letter_can_be_replayed(store: JobStore, dead_letters: DeadLetters) -> None:
    succeeded, processing, queued = await submit(store, b"1", b"2", b"3")
    await store.finish(await claim_one(store), SIAMESE)
    await claim_one(store)
    before = await contents(store.redis)
    for job_id in (succeeded, processing, queued, "unknown"):
        assert not await dead_letters.replay(job_id)
    assert await contents(store.redis) == before


async def test_a_job_is_replayed_once(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await add_dead_letters(store, b"payload")
    assert await dead_letters.replay(job_id)
    before = await contents(store.redis)
    assert not await dead_letters.replay(job_id)
    assert await contents(store.redis) == before


async def test_a_dead_letter_without_its_payload_cannot_be_replayed(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await add_dead_letters(store, b"payload")
    await store.redis.delete(store.keys.payload(job_id))
    before = await contents(store.redis)
    assert not await dead_letters.replay(job_id)
    assert await contents(store.redis) == before
