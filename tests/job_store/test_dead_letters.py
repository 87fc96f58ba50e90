from job_store import DeadLetters, JobStatus, JobStore
from tests.job_store.inspection import expire_job
from tests.job_store.jobs import add_dead_letters


async def test_there_are_no_dead_letters_at_first(dead_letters: DeadLetters) -> None:
    assert await dead_letters.list() == []


async def test_dead_letters_are_listed_newest_first(store: JobStore, dead_letters: DeadLetters) -> None:
    ids = await add_dead_letters(store, b"1", b"2", b"3")
    letters = await dead_letters.list()
    assert [letter.id for letter in letters] == ids[::-1]
    assert {(letter.status, letter.error) for letter in letters} == {(JobStatus.FAILED, "broken")}
    assert [letter.id for letter in await dead_letters.list(limit=2)] == ids[:0:-1]
    assert [letter.id for letter in await dead_letters.list(limit=None)] == ids[::-1]


async def test_the_payload_of_a_dead_letter_can_be_read(store: JobStore, dead_letters: DeadLetters) -> None:
    (job_id,) = await add_dead_letters(store, b"payload")
    assert await dead_letters.payload(job_id) == b"payload"
    await dead_letters.discard(job_id)
    assert await dead_letters.payload(job_id) is None


async def test_listing_removes_expired_dead_letters(store: JobStore, dead_letters: DeadLetters) -> None:
    expired, kept = await add_dead_letters(store, b"1", b"2")
    await expire_job(store, expired)
    assert [letter.id for letter in await dead_letters.list()] == [kept]
    assert await store.redis.zrange(store.keys.dead_letters, 0, -1) == [kept.encode()]
