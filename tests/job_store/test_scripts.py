from job_store import DeadLetters, JobStatus, JobStore
from tests.job_store.inspection import sent_commands
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit


async def test_a_script_is_sent_in_full_only_when_redis_does_not_have_it(store: JobStore) -> None:
    await store.redis.script_flush()
    async with sent_commands(store.redis) as commands:
        await submit(store, b"1", b"2")
    assert commands == ["EVALSHA", "EVAL", "EVALSHA"]


async def test_every_flushed_script_is_sent_again(store: JobStore, dead_letters: DeadLetters) -> None:
    flush = store.redis.script_flush
    await flush()
    (job_id,) = await submit(store, b"payload")
    await flush()
    claim = await claim_one(store)
    await flush()
    assert await store.extend(claim)
    await flush()
    assert await store.requeue(claim, counts=True)
    claim = await claim_one(store)
    await flush()
    assert await store.fail(claim, "broken")
    await flush()
    assert await dead_letters.replay(job_id)
    claim = await claim_one(store)
    await flush()
    assert await store.finish(claim, SIAMESE)
    await flush()
    assert not await dead_letters.discard(job_id)
    assert (await get_job(store, job_id)).status is JobStatus.SUCCEEDED
