from job_store import DeadLetters, JobStatus, JobStore
from tests.job_store.inspection import contents, keys
from tests.job_store.jobs import claim_one, get_job, submit


async def test_a_discarded_dead_letter_is_a_failed_job_without_a_payload(
    store: JobStore, dead_letters: DeadLetters
) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.fail(await claim_one(store), "broken")
    assert await dead_letters.discard(job_id)
    job = await get_job(store, job_id)
    assert (job.status, job.error) == (JobStatus.FAILED, "broken")
    assert await keys(store.redis) == {
        store.keys.job(job_id),
        store.keys.backlog,
        store.keys.dead_letter_bytes,
    }
    assert not await dead_letters.discard(job_id), "it is no longer a dead letter"
    assert not await dead_letters.replay(job_id)


async def test_a_replayed_job_cannot_be_discarded(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.fail(await claim_one(store), "broken")
    await dead_letters.replay(job_id)
    before = await contents(store.redis)
    assert not await dead_letters.discard(job_id)
    assert await contents(store.redis) == before
    assert (await claim_one(store)).payload == b"payload"


async def test_discarding_a_queued_job_keeps_its_payload(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await submit(store, b"payload")
    assert not await dead_letters.discard(job_id)
    assert await store.redis.get(store.keys.payload(job_id)) == b"payload"
