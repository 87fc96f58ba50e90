from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis

from job_store import JobStatus, JobStore, Policy, StoreUnavailable
from job_store.keys import WORKERS
from tests.job_store.inspection import backlog, contents, entries, expire_job, pending
from tests.job_store.jobs import SIAMESE, claim, claim_one, get_job, submit


async def test_the_oldest_jobs_are_claimed_first_up_to_the_count(store: JobStore) -> None:
    ids = await submit(store, b"1", b"2", b"3")
    claims = (await store.claim(2)).claims
    assert [(claimed.job_id, claimed.payload, claimed.attempt, claimed.token) for claimed in claims] == [
        (ids[0], b"1", 1, 1),
        (ids[1], b"2", 1, 1),
    ]
    assert [claimed.job_id for claimed in (await store.claim(2)).claims] == ids[2:]
    assert (await store.claim(2)).claims == []


async def test_a_claimed_job_is_processing_and_has_its_start_time(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claimed = await claim_one(store)
    job = await get_job(store, job_id)
    assert (job.status, job.attempts, job.completed_at) == (JobStatus.PROCESSING, 1, None)
    assert job.started_at
    assert (job.started_at - job.created_at) / timedelta(milliseconds=1) == pytest.approx(claimed.waited_ms)
    assert await backlog(store) == [job_id]
    assert await pending(store) == [job_id]


async def test_a_claim_on_an_empty_redis_returns_nothing(store: JobStore) -> None:
    result = await store.claim(5)
    assert (result.claims, result.last_entry) == ([], "0-0")


async def test_last_entry_is_the_newest_entry_ever(store: JobStore) -> None:
    await submit(store, b"1", b"2")
    newest = list(await entries(store))[-1].decode()
    result = await store.claim(5)
    assert result.last_entry == newest
    for claimed in result.claims:
        await store.finish(claimed, SIAMESE)
    assert (await store.claim(5)).last_entry == newest, "even when no entry is left"


async def test_a_job_with_an_unexpired_lease_is_not_claimed(store: JobStore) -> None:
    await submit(store, b"payload")
    await claim_one(store)
    assert (await store.claim(5)).claims == []


async def test_the_payloads_of_a_claim_have_at_most_its_bytes(store: JobStore) -> None:
    ids = await submit(store, *[bytes(100)] * 5)
    claimed = [claimed.job_id for claimed in (await store.claim(5, max_bytes=299)).claims]
    assert claimed == ids[:2]
    assert await pending(store) == ids[:2], "the others are left for the next claims"
    assert [claimed.job_id for claimed in (await store.claim(5, max_bytes=300)).claims] == ids[2:]


async def test_a_payload_larger_than_a_claim_may_be_is_claimed_alone(store: JobStore) -> None:
    ids = await submit(store, *[bytes(100)] * 3)
    for job_id in ids:
        assert [claimed.job_id for claimed in (await store.claim(5, max_bytes=10)).claims] == [job_id]


async def test_a_lease_of_a_millisecond_expires(redis: Redis) -> None:
    store = JobStore(redis, Policy(lease=timedelta(milliseconds=1), max_attempts=1_000))
    (job_id,) = await submit(store, b"payload")
    claims = [claimed for _ in range(50) for claimed in await claim(store)]
    assert [(claimed.job_id, claimed.token) for claimed in claims] == [(job_id, n + 1) for n in range(len(claims))]
    assert len(claims) > 1


async def test_a_job_without_its_payload_fails_and_is_not_claimed(store: JobStore) -> None:
    broken, good = await submit(store, b"broken", b"good")
    await store.redis.delete(store.keys.payload(broken))
    assert [claimed.job_id for claimed in (await store.claim(2)).claims] == [good]
    job = await get_job(store, broken)
    assert (job.status, job.error) == (JobStatus.FAILED, "the submitted payload is no longer stored; submit it again")


async def test_expired_queued_jobs_take_no_place_in_a_batch(store: JobStore) -> None:
    *expired, good = await submit(store, b"1", b"2", b"3", b"good")
    for job_id in expired:
        await expire_job(store, job_id)
    assert (await claim_one(store)).job_id == good
    assert await backlog(store) == await pending(store) == [good]


async def test_a_second_entry_of_a_job_is_dropped(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.redis.xadd(store.keys.backlog, {"id": job_id})
    assert [claimed.job_id for claimed in (await store.claim(5)).claims] == [job_id]
    assert await backlog(store) == await pending(store) == [job_id]


async def test_a_backlog_without_its_group_is_claimed_again(store: JobStore) -> None:
    ids = await submit(store, b"held", b"queued")
    held = await claim_one(store)
    await store.redis.xgroup_destroy(store.keys.backlog, WORKERS)
    assert await store.extend(held), "a worker keeps its job until another claims it"
    assert [claimed.job_id for claimed in (await store.claim(5)).claims] == ids
    assert not await store.finish(held, SIAMESE), "only the newest claim can end the job"


async def test_a_claimed_job_can_be_finished_without_the_backlog(store: JobStore) -> None:
    finished, failed, requeued, _ = await submit(store, b"1", b"2", b"3", b"lost")
    claims = (await store.claim(3)).claims
    await store.redis.delete(store.keys.backlog)
    assert await store.extend(claims[0])
    assert await store.finish(claims[0], SIAMESE)
    assert await store.fail(claims[1], "broken")
    assert await store.requeue(claims[2], counts=True)
    statuses = [(await get_job(store, job_id)).status for job_id in (finished, failed)]
    assert statuses == [JobStatus.SUCCEEDED, JobStatus.FAILED]
    assert (await claim_one(store)).job_id == requeued
    (new,) = await submit(store, b"new")
    assert (await claim_one(store)).job_id == new


async def test_a_claim_executed_after_its_deadline_claims_nothing(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = await submit(store, b"payload")
    before = await contents(store.redis)
    seconds, microseconds = await store.redis.time()
    with monkeypatch.context() as stall:
        stall.setattr(store.redis, "time", AsyncMock(return_value=[seconds - 2, microseconds]))
        late = await store.claim(1)
    assert (late.claims, late.last_entry) == ([], "0-0"), "the worker must not wait for a newer entry"
    assert late.was_late
    assert await contents(store.redis) == before
    assert (await claim_one(store)).job_id == job_id


async def test_an_error_from_redis_is_reported_verbatim(store: JobStore) -> None:
    await store.redis.set(store.keys.backlog, "no stream", ex=60)
    before = await contents(store.redis)
    with pytest.raises(StoreUnavailable, match="WRONGTYPE Operation against a key"):
        await store.claim(1)
    assert await contents(store.redis) == before
