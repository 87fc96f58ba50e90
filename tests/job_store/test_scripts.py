from job_store import DeadLetters, JobStatus, JobStore
from tests.job_store.inspection import sent_commands
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit


async def test_a_script_is_sent_in_full_only_to_a_redis_that_does_not_know_it(store: JobStore) -> None:
    await store.redis.script_flush()
    async with sent_commands(store.redis) as commands:
        await submit(store, b"1", b"2")
    assert commands == ["EVALSHA", "EVAL", "EVALSHA"]


async def test_a_redis_that_forgot_the_scripts_is_told_again(store: JobStore, dead_letters: DeadLetters) -> None:
    forget = store.redis.script_flush
    await forget()
    (job_id,) = await submit(store, b"payload")
    await forget()
    claim = await claim_one(store)
    await forget()
    assert await store.extend(claim)
    await forget()
    assert await store.requeue(claim, counts=True)
    claim = await claim_one(store)
    await forget()
    assert await store.fail(claim, "broken")
    await forget()
    assert await dead_letters.replay(job_id)
    claim = await claim_one(store)
    await forget()
    assert await store.finish(claim, SIAMESE)
    await forget()
    assert not await dead_letters.discard(job_id)
    assert (await get_job(store, job_id)).status is JobStatus.SUCCEEDED
