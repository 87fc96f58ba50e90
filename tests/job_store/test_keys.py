import re

import pytest
from redis.asyncio import Redis

from deploy.local import redis_server as redis_on_this_machine
from harness.process import free_port
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import DeadLetters, JobStore, Keys, Owner, check_redis, keys, new_job_id
from tests.job_store import inspection
from tests.job_store.jobs import SIAMESE, claim_one, submit


async def add_jobs_of_every_status(store: JobStore) -> None:
    """Leave one succeeded job, one dead letter, one processing job, one queued job and one that was withdrawn."""
    await store.withdraw(new_job_id())
    await submit(store, b"1", b"2", b"3")
    await store.submit(b"4", {}, owner=Owner("owner"))
    await store.finish(await claim_one(store), SIAMESE)
    await store.fail(await claim_one(store), "broken")
    await claim_one(store)


async def test_redis_holds_only_the_documented_keys(store: JobStore) -> None:
    await add_jobs_of_every_status(store)
    stored = {
        (re.sub("[0-9a-f]{24}$", "<id>", key).replace(":owner", ":<owner>"), await store.redis.type(key))
        for key in await inspection.keys(store.redis)
    }
    assert stored == {
        ("{sync_async}:job:<id>", b"hash"),
        ("{sync_async}:image:<id>", b"string"),
        ("{sync_async}:withdrawn:<id>", b"string"),
        ("{sync_async}:unfinished:<owner>", b"zset"),
        ("{sync_async}:backlog", b"stream"),
        ("{sync_async}:dead_letters", b"zset"),
        ("{sync_async}:dead_letter_bytes", b"string"),
    }
    assert keys.__doc__
    assert all(name.replace("sync_async", "prefix") in keys.__doc__ for name, _ in stored)


async def test_stores_with_different_prefixes_are_isolated(redis: Redis) -> None:
    ours, theirs = JobStore(redis, keys=Keys("ours")), JobStore(redis, keys=Keys("theirs"))
    await add_jobs_of_every_status(ours)
    before = {key: value for key, value in (await inspection.contents(redis)).items() if key.startswith("{ours}:")}
    (job_id,) = await submit(theirs, b"payload")
    assert await ours.find(job_id) is None
    claims = (await theirs.claim(5)).claims
    assert [claim.job_id for claim in claims] == [job_id]
    assert not await ours.finish(claims[0], SIAMESE)
    assert await theirs.finish(claims[0], SIAMESE)
    assert await DeadLetters(redis, theirs).list() == []
    after = {key: value for key, value in (await inspection.contents(redis)).items() if key.startswith("{ours}:")}
    assert after == before


@pytest.mark.slow
async def test_the_scripts_run_on_a_cluster_with_a_single_primary_because_all_keys_share_a_slot(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = redis_on_this_machine.command
    monkeypatch.setattr(
        redis_on_this_machine,
        "command",
        lambda *args, **options: [*command(*args, **options), "--cluster-enabled", "yes"],
    )
    while own_redis_server.port > 55_535:  # a cluster node also listens on its port + 10,000
        own_redis_server.port = free_port()
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        await redis.execute_command("CLUSTER ADDSLOTS", *range(16_384))  # type: ignore[no-untyped-call]

        async def cluster_is_up() -> bool:
            return bool((await redis.cluster("INFO"))["cluster_state"] == "ok")

        await wait_until(cluster_is_up)
        await check_redis(redis)
        store = JobStore(redis)
        await add_jobs_of_every_status(store)
        slots = {await redis.cluster("KEYSLOT", key) for key in await inspection.keys(redis)}
        assert len(slots) == 1
        assert await DeadLetters(redis, store).list()
