"""No owner can fill the backlog: its unfinished jobs count against its quota, and against no other's."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import DeadLetters, JobStore, Owner, Policy, QueueFull, QuotaExceeded, new_job_id
from tests.job_store.inspection import expire_lease, keys
from tests.job_store.jobs import PERSIAN, SIAMESE, claim, claim_one, get_job

GREEDY: Final = Owner("greedy", max_queued=3)
MODEST: Final = Owner("modest", max_queued=3)


async def submit(store: JobStore, owner: Owner | None, count: int = 1) -> list[str]:
    return [await store.submit(b"payload", PERSIAN, owner=owner) for _ in range(count)]


async def assert_quota_exceeded(store: JobStore, owner: Owner) -> None:
    with pytest.raises(QuotaExceeded):
        await submit(store, owner)


async def test_one_owner_over_its_quota_leaves_others_their_place_in_the_backlog(store: JobStore) -> None:
    await submit(store, GREEDY, 3)
    await assert_quota_exceeded(store, GREEDY)
    assert await store.backlog_length() == 3
    await submit(store, MODEST, 3)
    await submit(store, None, 5)


async def test_a_refused_submit_changes_nothing(store: JobStore) -> None:
    await submit(store, GREEDY, 3)
    before = await keys(store.redis)
    job_id = new_job_id()
    with pytest.raises(QuotaExceeded):
        await store.submit(b"payload", PERSIAN, job_id, GREEDY)
    assert await keys(store.redis) == before
    assert await store.find(job_id) is None


async def test_concurrent_submits_do_not_exceed_the_quota(store: JobStore) -> None:
    outcomes = await asyncio.gather(*(submit(store, GREEDY) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes) == 17
    assert await store.backlog_length() == 3


async def test_every_end_of_a_job_makes_room_for_another(store: JobStore) -> None:
    await submit(store, GREEDY, 3)
    finished, failed, given_up = await claim(store, 3)
    await assert_quota_exceeded(store, GREEDY)

    await store.finish(finished, SIAMESE)
    await submit(store, GREEDY)
    await assert_quota_exceeded(store, GREEDY)

    await store.fail(failed, "broken")
    await submit(store, GREEDY)
    await assert_quota_exceeded(store, GREEDY)

    for _ in range(store.policy.max_attempts - 1):
        await expire_lease(store, given_up.job_id)
        await store.reclaim()
    await assert_quota_exceeded(store, GREEDY)
    await expire_lease(store, given_up.job_id)
    assert [job_id for job_id, _ in (await store.reclaim()).failed] == [given_up.job_id]
    await submit(store, GREEDY)
    await assert_quota_exceeded(store, GREEDY)


async def test_a_repeated_or_outdated_end_makes_room_only_once(store: JobStore) -> None:
    await submit(store, GREEDY, 3)
    claimed = await claim_one(store)
    for _ in range(3):
        await store.finish(claimed, SIAMESE)
        await store.fail(claimed, "broken")
    await submit(store, GREEDY)
    await assert_quota_exceeded(store, GREEDY)


async def test_a_requeued_or_replayed_job_counts_again(store: JobStore) -> None:
    await submit(store, GREEDY, 3)
    await store.requeue(await claim_one(store), counts=True)
    await assert_quota_exceeded(store, GREEDY)
    failed = await claim_one(store)
    await store.fail(failed, "broken")
    await DeadLetters(store.redis, store).replay(failed.job_id)
    await assert_quota_exceeded(store, GREEDY)


async def test_a_job_that_expires_without_an_end_no_longer_counts(store: JobStore) -> None:
    brief = JobStore(store.redis, Policy(pending_ttl=timedelta(milliseconds=50)))
    await submit(store, GREEDY, 2)
    (expiring,) = await submit(brief, GREEDY)
    await store.redis.persist(brief.keys.unfinished(GREEDY.id))  # it would live on for the other two

    async def has_expired() -> bool:
        return await brief.find(expiring) is None

    await wait_until(has_expired)
    await submit(store, GREEDY)
    await assert_quota_exceeded(store, GREEDY)


@pytest.mark.parametrize("renewal", ["claim", "extend"])
async def test_a_job_counts_as_long_as_it_is_worked_on(store: JobStore, renewal: str) -> None:
    (job_id,) = await submit(store, GREEDY)
    claimed = await claim_one(store) if renewal == "extend" else None
    unfinished = store.keys.unfinished(GREEDY.id)
    await store.redis.zadd(unfinished, {job_id: 1})
    await store.redis.pexpire(unfinished, 10_000)
    if claimed:
        assert await store.extend(claimed)
    else:
        await claim_one(store)
    score = await store.redis.zscore(unfinished, job_id)
    expires_at = (await get_job(store, job_id)).expires_at.timestamp() * 1000
    assert score is not None
    assert abs(score - expires_at) < 5_000
    assert await store.redis.pttl(unfinished) > 10_000


async def test_without_a_limit_jobs_have_an_owner_all_the_same(store: JobStore) -> None:
    (owned,) = await submit(store, Owner("unlimited"))
    (not_owned,) = await submit(store, None)
    assert (await get_job(store, owned)).owner == "unlimited"
    assert (await get_job(store, not_owned)).owner is None
    await assert_quota_exceeded(store, Owner("unlimited", max_queued=1))


async def test_a_full_memory_is_reported_as_a_full_queue(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        await submit(store, GREEDY)
        await redis.config_set("maxmemory", 1)
        with pytest.raises(QueueFull):
            await submit(store, GREEDY)
        await store.finish(await claim_one(store), SIAMESE)
        assert await redis.exists(store.keys.unfinished(GREEDY.id)) == 0
