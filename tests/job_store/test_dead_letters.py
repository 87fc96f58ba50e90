from job_store import DeadLetters, JobStatus, JobStore
from tests.job_store.inspection import expire_job
from tests.job_store.jobs import claim_one, submit


async def fail(store: JobStore, *payloads: bytes) -> list[str]:
    """Dead letters of these payloads, a millisecond apart from each other, oldest first."""
    ids = []
    for milliseconds, payload in enumerate(payloads):
        ids += await submit(store, payload)
        await store.fail(await claim_one(store), "broken")
        await store.redis.zincrby(store.keys.dead_letters, milliseconds, ids[-1])
    return ids


async def test_there_are_none_at_first(dead_letters: DeadLetters) -> None:
    assert await dead_letters.list() == []


async def test_they_are_listed_newest_first(store: JobStore, dead_letters: DeadLetters) -> None:
    ids = await fail(store, b"1", b"2", b"3")
    letters = await dead_letters.list()
    assert [letter.id for letter in letters] == ids[::-1]
    assert {(letter.status, letter.error) for letter in letters} == {(JobStatus.FAILED, "broken")}
    assert [letter.id for letter in await dead_letters.list(limit=2)] == ids[:0:-1]


async def test_their_images_can_be_looked_at(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await fail(store, b"payload")
    assert await dead_letters.payload(job_id) == b"payload"
    await dead_letters.discard(job_id)
    assert await dead_letters.payload(job_id) is None


async def test_those_that_expired_are_forgotten_when_they_would_be_listed(
    store: JobStore, dead_letters: DeadLetters
) -> None:
    expired, kept = await fail(store, b"1", b"2")
    await expire_job(store, expired)
    assert [letter.id for letter in await dead_letters.list()] == [kept]
    assert await store.redis.zrange(store.keys.dead_letters, 0, -1) == [kept.encode()]
