from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis

from job_store import JobStatus, JobStore, Policy, StoreUnavailable
from job_store.keys import WORKERS
from tests.job_store.inspection import backlog, contents, entries, expire_job, expire_lease, keys, pending
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit


async def test_the_oldest_jobs_come_first_and_no_more_than_asked_for(store: JobStore) -> None:
    ids = await submit(store, b"1", b"2", b"3")
    claims = (await store.claim(2)).claims
    assert [(claim.job_id, claim.payload, claim.attempt, claim.token) for claim in claims] == [
        (ids[0], b"1", 1, 1),
        (ids[1], b"2", 1, 1),
    ]
    assert [claim.job_id for claim in (await store.claim(2)).claims] == ids[2:]
    assert (await store.claim(2)).claims == []


async def test_a_claimed_job_is_processing_and_says_since_when(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    job = await get_job(store, job_id)
    assert (job.status, job.attempts, job.completed_at) == (JobStatus.PROCESSING, 1, None)
    assert job.started_at
    assert (job.started_at - job.created_at) / timedelta(milliseconds=1) == pytest.approx(claim.waited_ms)
    assert await backlog(store) == [job_id]
    assert await pending(store) == [job_id]


async def test_a_store_that_never_had_a_job_has_none_to_give(store: JobStore) -> None:
    result = await store.claim(5)
    assert (result.claims, result.last_entry) == ([], "0-0")


async def test_the_last_entry_is_the_newest_there_ever_was(store: JobStore) -> None:
    await submit(store, b"1", b"2")
    newest = list(await entries(store))[-1].decode()
    result = await store.claim(5)
    assert result.last_entry == newest
    for claim in result.claims:
        await store.finish(claim, SIAMESE)
    assert (await store.claim(5)).last_entry == newest, "also when no entry is left"


async def test_a_lease_that_lasts_leaves_the_job_to_its_worker(store: JobStore) -> None:
    await submit(store, b"payload")
    await claim_one(store)
    assert (await store.claim(5)).claims == []


async def test_leases_that_ran_out_are_taken_over_before_jobs_that_wait(store: JobStore) -> None:
    lost, held, waiting, _ = await submit(store, b"lost", b"held", b"waiting", b"not asked for")
    first, _ = (await store.claim(2)).claims
    await expire_lease(store, lost)
    again, other = (await store.claim(2)).claims
    assert (again.job_id, again.attempt, again.payload) == (lost, 2, b"lost")
    assert again.token > first.token
    assert other.job_id == waiting
    assert await pending(store) == [lost, held, waiting]


async def test_more_leases_ran_out_than_asked_for(store: JobStore) -> None:
    ids = await submit(store, *[b"payload"] * 30)
    for claim in (await store.claim(30)).claims:
        await expire_lease(store, claim.job_id)
    taken_over = [claim.job_id for _ in range(3) for claim in (await store.claim(10)).claims]
    assert taken_over == ids


async def test_leases_that_ran_out_are_found_among_many_that_last(store: JobStore) -> None:
    ids = await submit(store, *[b"payload"] * 60)
    await store.claim(60)
    overdue = [ids[0], ids[30], ids[31]]
    for job_id in overdue:
        await expire_lease(store, job_id)
    assert [claim.job_id for claim in (await store.claim(2)).claims] == overdue[:2]
    assert [claim.job_id for claim in (await store.claim(2)).claims] == overdue[2:]


async def test_a_lease_of_a_millisecond_really_runs_out(redis: Redis) -> None:
    store = JobStore(redis, Policy(lease=timedelta(milliseconds=1), max_attempts=1_000))
    (job_id,) = await submit(store, b"payload")
    claims = [claim for _ in range(50) for claim in (await store.claim(1)).claims]
    assert [(claim.job_id, claim.token) for claim in claims] == [(job_id, n + 1) for n in range(len(claims))]
    assert len(claims) > 1


async def test_a_job_whose_attempts_are_used_up_fails_and_is_not_handed_out(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_attempts=2))
    poison, good = await submit(store, b"poison", b"good")
    for _ in range(2):
        assert (await claim_one(store)).job_id == poison
        await expire_lease(store, poison)
    assert [claim.job_id for claim in (await store.claim(2)).claims] == [good]
    job = await get_job(store, poison)
    assert (job.status, job.attempts) == (JobStatus.FAILED, 2)
    assert job.error == "gave up after 2 attempts: none of them came to an end"
    assert await redis.zrange(store.keys.dead_letters, 0, -1) == [poison.encode()]
    assert await backlog(store) == [good]


async def test_a_job_whose_image_is_gone_fails_and_is_not_handed_out(store: JobStore) -> None:
    blind, good = await submit(store, b"blind", b"good")
    await store.redis.delete(store.keys.payload(blind))
    assert [claim.job_id for claim in (await store.claim(2)).claims] == [good]
    job = await get_job(store, blind)
    assert (job.status, job.error) == (JobStatus.FAILED, "the payload is no longer stored")


async def test_a_job_that_cannot_be_given_up_now_does_not_cost_the_others_their_attempt(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind, good = await submit(store, b"blind", b"good")
    await store.redis.delete(store.keys.payload(blind))
    with monkeypatch.context() as outage:
        outage.setattr(store, "fail", AsyncMock(side_effect=StoreUnavailable))
        assert [claim.job_id for claim in (await store.claim(2)).claims] == [good]
    assert (await get_job(store, blind)).status is JobStatus.PROCESSING
    await expire_lease(store, blind)
    assert (await store.claim(1)).claims == []
    assert (await get_job(store, blind)).status is JobStatus.FAILED


async def test_jobs_that_expired_while_they_waited_take_no_place_in_a_batch(store: JobStore) -> None:
    *expired, good = await submit(store, b"1", b"2", b"3", b"good")
    for job_id in expired:
        await expire_job(store, job_id)
    assert (await claim_one(store)).job_id == good
    assert await backlog(store) == await pending(store) == [good]


async def test_a_job_that_expired_while_it_was_worked_on_leaves_nothing_behind(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    await expire_lease(store, job_id)
    await expire_job(store, job_id)
    assert not await store.finish(claim, SIAMESE)
    assert (await store.claim(1)).claims == []
    assert await backlog(store) == await pending(store) == []
    assert await keys(store.redis) == {store.keys.backlog}


async def test_an_entry_that_is_not_the_jobs_own_is_dropped(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    await store.redis.xadd(store.keys.backlog, {"id": job_id})
    assert [claim.job_id for claim in (await store.claim(5)).claims] == [job_id]
    assert await backlog(store) == await pending(store) == [job_id]


async def test_an_entry_deleted_by_hand_keeps_no_other_from_being_taken_over(store: JobStore) -> None:
    deleted, lost = await submit(store, b"deleted", b"lost")
    for claim in (await store.claim(2)).claims:
        await expire_lease(store, claim.job_id)
    entry = await store.redis.hget(store.keys.job(deleted), "entry")
    assert entry
    assert await store.redis.xdel(store.keys.backlog, entry) == 1
    assert [claim.job_id for claim in (await store.claim(2)).claims] == [lost]


async def test_without_its_group_the_backlog_is_handed_out_anew(store: JobStore) -> None:
    ids = await submit(store, b"held", b"waiting")
    held = await claim_one(store)
    await store.redis.xgroup_destroy(store.keys.backlog, WORKERS)
    assert await store.extend(held), "a worker at its job goes on until another takes it"
    assert [claim.job_id for claim in (await store.claim(5)).claims] == ids
    assert not await store.finish(held, SIAMESE), "but only one may end it"


async def test_without_the_backlog_a_job_in_hand_still_comes_to_its_end(store: JobStore) -> None:
    finished, failed, returned, _ = await submit(store, b"1", b"2", b"3", b"lost")
    claims = (await store.claim(3)).claims
    await store.redis.delete(store.keys.backlog)
    assert await store.extend(claims[0])
    assert await store.finish(claims[0], SIAMESE)
    assert await store.fail(claims[1], "broken")
    assert await store.requeue(claims[2], counts=True)
    statuses = [(await get_job(store, job_id)).status for job_id in (finished, failed)]
    assert statuses == [JobStatus.SUCCEEDED, JobStatus.FAILED]
    assert (await claim_one(store)).job_id == returned
    (new,) = await submit(store, b"new")
    assert (await claim_one(store)).job_id == new


async def test_a_claim_that_redis_comes_to_too_late_takes_nothing(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = await submit(store, b"payload")
    before = await contents(store.redis)
    seconds, microseconds = await store.redis.time()
    with monkeypatch.context() as stall:
        stall.setattr(store.redis, "time", AsyncMock(return_value=[seconds - 2, microseconds]))
        late = await store.claim(1)
    assert (late.claims, late.last_entry) == ([], "0-0"), "there may be something newer than what it saw"
    assert await contents(store.redis) == before
    assert (await claim_one(store)).job_id == job_id


async def test_what_redis_refuses_is_said_as_it_is(store: JobStore) -> None:
    await submit(store, b"payload")
    await claim_one(store)
    before = await contents(store.redis)
    with pytest.raises(StoreUnavailable, match="COUNT must be > 0"):
        await store.claim(0)
    assert await contents(store.redis) == before
