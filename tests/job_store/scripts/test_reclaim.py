from contextlib import suppress
from datetime import timedelta

from redis.asyncio import Redis

from harness.redis import RedisServer
from job_store import JobStatus, JobStore, Policy, StoreUnavailable, connect
from tests.job_store.flaky_network import FlakyNetwork
from tests.job_store.inspection import backlog, expire_job, expire_lease, keys, pending
from tests.job_store.jobs import SIAMESE, claim, claim_one, get_job, submit


async def test_a_job_with_an_expired_lease_is_reclaimed_alone_and_before_queued_ones(store: JobStore) -> None:
    expired, held, queued, _ = await submit(store, b"expired", b"held", b"queued", b"beyond the count")
    first, _ = (await store.claim(2)).claims
    await expire_lease(store, expired)
    result = await store.claim(2)
    assert (result.claims, result.has_expired_leases) == ([], True)
    assert await pending(store) == [expired, held]
    (again,) = (await store.reclaim()).claims
    assert (again.job_id, again.attempt, again.payload) == (expired, 2, b"expired")
    assert again.token > first.token
    result = await store.claim(1)
    assert ([claimed.job_id for claimed in result.claims], result.has_expired_leases) == ([queued], False)
    assert await pending(store) == [expired, held, queued]


async def test_without_an_expired_lease_nothing_is_reclaimed(store: JobStore) -> None:
    await submit(store, b"held", b"queued")
    await claim_one(store)
    result = await store.reclaim()
    assert (result.claims, result.has_expired_leases) == ([], False)


async def test_expired_leases_are_reclaimed_one_by_one_oldest_first(store: JobStore) -> None:
    ids = await submit(store, *[b"payload"] * 30)
    for claimed in (await store.claim(30)).claims:
        await expire_lease(store, claimed.job_id)
    assert [claimed.job_id for _ in ids for claimed in (await store.reclaim()).claims] == ids


async def test_expired_leases_are_found_among_many_unexpired_ones(store: JobStore) -> None:
    ids = await submit(store, *[b"payload"] * 60)
    await store.claim(60)
    expired = [ids[0], ids[30], ids[31]]
    for job_id in expired:
        await expire_lease(store, job_id)
    assert [claimed.job_id for _ in range(4) for claimed in (await store.reclaim()).claims] == expired


async def test_a_job_with_no_attempts_left_fails_and_is_not_claimed(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_attempts=2))
    poison, good = await submit(store, b"poison", b"good")
    for _ in range(2):
        assert (await claim_one(store)).job_id == poison
        await expire_lease(store, poison)
    result = await store.reclaim()
    assert (result.claims, result.failed) == ([], [(poison, "gave up after 2 attempts, none of which completed")])
    job = await get_job(store, poison)
    assert [claimed.job_id for claimed in (await store.claim(2)).claims] == [good]
    assert (job.status, job.attempts) == (JobStatus.FAILED, 2)
    assert job.error == "gave up after 2 attempts, none of which completed"
    assert await redis.zrange(store.keys.dead_letters, 0, -1) == [poison.encode()]
    assert await backlog(store) == [good]


async def test_jobs_with_no_attempts_left_end_although_no_reply_of_a_claim_ever_arrives(
    redis_server: RedisServer,
) -> None:
    """Otherwise each lost claim renews their leases, and they block all others for ever."""
    async with FlakyNetwork(redis_server.port) as network, redis_server.client() as redis:
        await redis.flushall()
        store = JobStore(redis, Policy(max_attempts=2))
        ids = await submit(store, *[bytes(100_000)] * 4)
        for _ in range(2 * len(ids) + 1):
            async with connect(network.url, name="flaky", timeout=timedelta(seconds=5)) as flaky:
                await flaky.ping()
                network.drop_next_reply(larger_than=1_000)
                with suppress(StoreUnavailable):
                    await claim(JobStore(flaky, store.policy), 4)
            for job_id in await pending(store):
                await expire_lease(store, job_id)
        jobs = [await get_job(store, job_id) for job_id in ids]
        assert {(job.status, job.attempts, job.error) for job in jobs} == {
            (JobStatus.FAILED, 2, "gave up after 2 attempts, none of which completed")
        }
        assert await backlog(store) == await pending(store) == []


async def test_a_claim_ends_a_limited_number_of_jobs(redis: Redis) -> None:
    """Otherwise Redis would be blocked while thousands of them end."""
    store = JobStore(redis, Policy(max_attempts=1))
    await submit(store, *[b"payload"] * 150)
    for claimed in (await store.claim(150)).claims:
        await expire_lease(store, claimed.job_id)
    assert (await store.reclaim()).claims == []
    assert await redis.zcard(store.keys.dead_letters) == 100
    assert (await store.claim(1)).has_expired_leases
    assert (await store.reclaim()).claims == []
    assert await redis.zcard(store.keys.dead_letters) == 150
    assert not (await store.claim(1)).has_expired_leases


async def test_an_expired_processing_job_leaves_nothing_behind(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    claimed = await claim_one(store)
    await expire_lease(store, job_id)
    await expire_job(store, job_id)
    assert not await store.finish(claimed, SIAMESE)
    assert (await store.reclaim()).claims == (await store.claim(1)).claims == []
    assert await backlog(store) == await pending(store) == []
    assert await keys(store.redis) == {store.keys.backlog}


async def test_an_entry_deleted_by_hand_does_not_prevent_reclaiming_others(store: JobStore) -> None:
    deleted, expired = await submit(store, b"deleted", b"expired")
    for claimed in (await store.claim(2)).claims:
        await expire_lease(store, claimed.job_id)
    entry = await store.redis.hget(store.keys.job(deleted), "entry")
    assert entry
    assert await store.redis.xdel(store.keys.backlog, entry) == 1
    assert [claimed.job_id for claimed in (await store.reclaim()).claims] == [expired]
    assert not (await store.claim(1)).has_expired_leases
