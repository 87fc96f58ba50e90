from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis

from job_store import JobStatus, JobStore, Policy, StoreUnavailable
from job_store.keys import WORKERS
from tests.job_store.inspection import backlog, contents, entries, expire_job, expire_lease, keys, pending
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit


async def test_the_oldest_jobs_are_claimed_first_up_to_the_count(store: JobStore) -> None:
    ids = await submit(store, b"1", b"2", b"3")
    claims = (await store.claim(2)).claims
    assert [(claim.job_id, claim.payload, claim.attempt, claim.token) for claim in claims] == [
        (ids[0], b"1", 1, 1),
        (ids[1], b"2", 1, 1),
    ]
    assert [claim.job_id for claim in (await store.claim(2)).claims] == ids[2:]
    assert (await store.claim(2)).claims == []


async def test_a_claimed_job_is_processing_and_has_its_start_time(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    job = await get_job(store, job_id)
    assert (job.status, job.attempts, job.completed_at) == (JobStatus.PROCESSING, 1, None)
    assert job.started_at
    assert (job.started_at - job.created_at) / timedelta(milliseconds=1) == pytest.approx(claim.waited_ms)
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
    for claim in result.claims:
        await store.finish(claim, SIAMESE)
    assert (await store.claim(5)).last_entry == newest, "even when no entry is left"


async def test_a_job_with_an_unexpired_lease_is_not_claimed(store: JobStore) -> None:
    await submit(store, b"payload")
    await claim_one(store)
    assert (await store.claim(5)).claims == []


async def test_jobs_with_expired_leases_are_claimed_before_queued_ones(store: JobStore) -> None:
    expired, held, queued, _ = await submit(store, b"expired", b"held", b"queued", b"beyond the count")
    first, _ = (await store.claim(2)).claims
    await expire_lease(store, expired)
    again, other = (await store.claim(2)).claims
    assert (again.job_id, again.attempt, again.payload) == (expired, 2, b"expired")
    assert again.token > first.token
    assert other.job_id == queued
    assert await pending(store) == [expired, held, queued]


async def test_expired_leases_beyond_the_count_are_left_for_the_next_claims(store: JobStore) -> None:
    ids = await submit(store, *[b"payload"] * 30)
    for claim in (await store.claim(30)).claims:
        await expire_lease(store, claim.job_id)
    reclaimed = [claim.job_id for _ in range(3) for claim in (await store.claim(10)).claims]
    assert reclaimed == ids


async def test_expired_leases_are_found_among_many_unexpired_ones(store: JobStore) -> None:
    ids = await submit(store, *[b"payload"] * 60)
    await store.claim(60)
    expired = [ids[0], ids[30], ids[31]]
    for job_id in expired:
        await expire_lease(store, job_id)
    assert [claim.job_id for claim in (await store.claim(2)).claims] == expired[:2]
    assert [claim.job_id for claim in (await store.claim(2)).claims] == expired[2:]


async def test_a_lease_of_a_millisecond_expires(redis: Redis) -> None:
    store = JobStore(redis, Policy(lease=timedelta(milliseconds=1), max_attempts=1_000))
    (job_id,) = await submit(store, b"payload")
    claims = [claim for _ in range(50) for claim in (await store.claim(1)).claims]
    assert [(claim.job_id, claim.token) for claim in claims] == [(job_id, n + 1) for n in range(len(claims))]
    assert len(claims) > 1


async def test_a_job_with_no_attempts_left_fails_and_is_not_claimed(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_attempts=2))
    poison, good = await submit(store, b"poison", b"good")
    for _ in range(2):
        assert (await claim_one(store)).job_id == poison
        await expire_lease(store, poison)
    assert [claim.job_id for claim in (await store.claim(2)).claims] == [good]
    job = await get_job(store, poison)
    assert (job.status, job.attempts) == (JobStatus.FAILED, 2)
    assert job.error == "gave up after 2 attempts, none of which completed"
    assert await redis.zrange(store.keys.dead_letters, 0, -1) == [poison.encode()]
    assert await backlog(store) == [good]


async def test_a_job_without_its_payload_fails_and_is_not_claimed(store: JobStore) -> None:
    broken, good = await submit(store, b"broken", b"good")
    await store.redis.delete(store.keys.payload(broken))
    assert [claim.job_id for claim in (await store.claim(2)).claims] == [good]
    job = await get_job(store, broken)
    assert (job.status, job.error) == (JobStatus.FAILED, "the submitted payload is no longer stored; submit it again")


async def test_an_error_while_failing_one_job_does_not_lose_the_other_claims(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = await submit(store, b"broken", b"good")
    await store.redis.delete(store.keys.payload(broken))
    with monkeypatch.context() as outage:
        outage.setattr(store, "fail", AsyncMock(side_effect=StoreUnavailable))
        assert [claim.job_id for claim in (await store.claim(2)).claims] == [good]
    assert (await get_job(store, broken)).status is JobStatus.PROCESSING
    await expire_lease(store, broken)
    assert (await store.claim(1)).claims == []
    assert (await get_job(store, broken)).status is JobStatus.FAILED


async def test_expired_queued_jobs_take_no_place_in_a_batch(store: JobStore) -> None:
    *expired, good = await submit(store, b"1", b"2", b"3", b"good")
    for job_id in expired:
        await expire_job(store, job_id)
    assert (await claim_one(store)).job_id == good
    assert await backlog(store) == await pending(store) == [good]


async def test_an_expired_processing_job_leaves_nothing_behind(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    await expire_lease(store, job_id)
    await expire_job(store, job_id)
    assert not await store.finish(claim, SIAMESE)
    assert (await store.claim(1)).claims == []
    assert await backlog(store) == await pending(store) == []
    assert await keys(store.redis) == {store.keys.backlog}


async def test_a_second_entry_of_a_job_is_dropped(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.redis.xadd(store.keys.backlog, {"id": job_id})
    assert [claim.job_id for claim in (await store.claim(5)).claims] == [job_id]
    assert await backlog(store) == await pending(store) == [job_id]


async def test_an_entry_deleted_by_hand_does_not_prevent_reclaiming_others(store: JobStore) -> None:
    deleted, expired = await submit(store, b"deleted", b"expired")
    for claim in (await store.claim(2)).claims:
        await expire_lease(store, claim.job_id)
    entry = await store.redis.hget(store.keys.job(deleted), "entry")
    assert entry
    assert await store.redis.xdel(store.keys.backlog, entry) == 1
    assert [claim.job_id for claim in (await store.claim(2)).claims] == [expired]


async def test_a_backlog_without_its_group_is_claimed_again(store: JobStore) -> None:
    ids = await submit(store, b"held", b"queued")
    held = await claim_one(store)
    await store.redis.xgroup_destroy(store.keys.backlog, WORKERS)
    assert await store.extend(held), "a worker keeps its job until another claims it"
    assert [claim.job_id for claim in (await store.claim(5)).claims] == ids
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
    assert await contents(store.redis) == before
    assert (await claim_one(store)).job_id == job_id


async def test_an_error_from_redis_is_reported_verbatim(store: JobStore) -> None:
    await submit(store, b"payload")
    await claim_one(store)
    before = await contents(store.redis)
    with pytest.raises(StoreUnavailable, match="COUNT must be > 0"):
        await store.claim(0)
    assert await contents(store.redis) == before
