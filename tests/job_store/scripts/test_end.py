from datetime import timedelta

import pytest
from redis.asyncio import Redis

from job_store import JobStatus, JobStore, Policy
from tests.job_store.inspection import backlog, contents, keys, notifications, pending
from tests.job_store.jobs import PERSIAN, SIAMESE, claim_one, get_job, submit


async def test_a_finished_job_has_both_answers_and_no_payload(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    assert await store.finish(await claim_one(store), SIAMESE)
    job = await get_job(store, job_id)
    assert (job.status, job.provisional, job.output, job.error) == (JobStatus.SUCCEEDED, PERSIAN, SIAMESE, None)
    assert job.started_at
    assert job.completed_at
    assert job.created_at <= job.started_at <= job.completed_at
    assert await keys(store.redis) == {store.keys.job(job_id), store.keys.backlog}
    assert await backlog(store) == await pending(store) == []


async def test_a_failed_job_has_its_error_and_is_a_dead_letter_with_its_payload(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    assert await store.fail(await claim_one(store), "not an image: こわれた")
    job = await get_job(store, job_id)
    assert (job.status, job.output, job.error) == (JobStatus.FAILED, None, "not an image: こわれた")
    assert job.completed_at
    assert await store.redis.get(store.keys.payload(job_id)) == b"payload"
    assert await store.redis.zrange(store.keys.dead_letters, 0, -1) == [job_id.encode()]
    assert await backlog(store) == await pending(store) == []


async def test_an_ended_job_keeps_its_public_fields_and_its_token(store: JobStore) -> None:
    succeeded, failed = await submit(store, b"1", b"2")
    await store.finish(await claim_one(store), SIAMESE)
    await store.fail(await claim_one(store), "broken")
    times = {b"created_at", b"started_at", b"completed_at"}
    common = {b"status", b"provisional", b"attempts", b"token"} | times
    assert set(await store.redis.hkeys(store.keys.job(succeeded))) == common | {b"output"}
    assert set(await store.redis.hkeys(store.keys.job(failed))) == common | {b"error"}


async def test_the_oldest_dead_letters_beyond_the_limit_are_dropped_with_their_payloads(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_dead_letters=2))
    ids = []
    for payload in (b"1", b"2", b"3", b"4"):
        ids += await submit(store, payload)
        await store.fail(await claim_one(store), "broken")
        assert await redis.zcard(store.keys.dead_letters) == min(len(ids), 2)
        await redis.zadd(store.keys.dead_letters, {ids[-1]: len(ids)})  # two failures in one millisecond have no order
    assert await redis.zrange(store.keys.dead_letters, 0, -1) == [job_id.encode() for job_id in ids[2:]]
    payloads = await redis.mget(*(store.keys.payload(job_id) for job_id in ids))
    assert payloads == [None, None, b"3", b"4"]
    assert {(await get_job(store, job_id)).status for job_id in ids} == {JobStatus.FAILED}


async def test_the_oldest_dead_letters_beyond_a_size_are_dropped_with_their_payloads(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_dead_letter_bytes=1_000))
    ids = []
    for number in range(30):
        ids += await submit(store, bytes(100))
        await store.fail(await claim_one(store), "broken")
        await redis.zadd(store.keys.dead_letters, {ids[-1]: number})
        payloads = await redis.mget(*(store.keys.payload(job_id) for job_id in ids))
        kept = [job_id for job_id, payload in zip(ids, payloads, strict=True) if payload]
        assert min(number + 1, 9) <= len(kept) <= 10
        assert kept == ids[-len(kept) :]
        assert await redis.zrange(store.keys.dead_letters, 0, -1) == [job_id.encode() for job_id in kept]


async def test_a_dead_letter_beyond_the_size_of_all_is_kept_until_the_next(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_dead_letter_bytes=1_000))
    for size in (100, 5_000, 100):
        (job_id,) = await submit(store, bytes(size))
        await store.fail(await claim_one(store), "broken")
        await redis.zadd(store.keys.dead_letters, {job_id: size})
        assert await redis.zrange(store.keys.dead_letters, 0, -1) == [job_id.encode()]
        await redis.zadd(store.keys.dead_letters, {job_id: 1})


async def test_each_job_that_ends_is_published_once(store: JobStore) -> None:
    finished, failed = await submit(store, b"1", b"2")
    async with notifications(store) as ended:
        to_finish, to_fail = (await store.claim(2)).claims
        for _ in range(3):
            assert await store.finish(to_finish, SIAMESE)
            assert await store.fail(to_fail, "broken")
    assert [job.id for job in ended] == [finished, failed]


async def test_recording_the_same_end_twice_succeeds_and_changes_nothing(store: JobStore) -> None:
    await submit(store, b"1", b"2")
    to_finish, to_fail = (await store.claim(2)).claims
    assert await store.finish(to_finish, SIAMESE)
    assert await store.fail(to_fail, "broken")
    short_ttl = timedelta(seconds=10)
    for key in await keys(store.redis):
        await store.redis.pexpire(key, short_ttl)
    before = await contents(store.redis)
    assert await store.finish(to_finish, PERSIAN)
    assert await store.fail(to_fail, "broken differently")
    assert await contents(store.redis) == before
    assert all([await store.redis.pttl(key) <= 10_000 for key in before]), "no TTL was renewed"


@pytest.mark.parametrize("end", ["finish", "fail"])
async def test_an_ended_job_never_changes(store: JobStore, end: str) -> None:
    await submit(store, b"payload")
    claim = await claim_one(store)
    assert await (store.finish(claim, SIAMESE) if end == "finish" else store.fail(claim, "broken"))
    before = await contents(store.redis)
    assert not await (store.fail(claim, "broken") if end == "finish" else store.finish(claim, SIAMESE))
    assert not await store.requeue(claim, counts=True)
    assert not await store.extend(claim)
    assert await contents(store.redis) == before
    assert (await store.claim(1)).claims == []
