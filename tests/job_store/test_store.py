import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from redis.asyncio import Redis

from deploy.local import redis_server as redis_on_this_machine
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import Claim, DeadLetters, JobStore, StoreUnavailable, connect
from tests.job_store.inspection import backlog, contents, expire_lease, pending, run_event_loop, stall
from tests.job_store.jobs import PERSIAN, SIAMESE, claim, claim_one, get_job, submit

CLAIM: Final = Claim("id", token=1, attempt=1, waited_ms=0, payload=b"payload")

EVERY_METHOD: Final[dict[str, Callable[[JobStore], Awaitable[object]]]] = {
    "submit": lambda store: store.submit(b"payload", PERSIAN),
    "withdraw": lambda store: store.withdraw("id"),
    "claim": lambda store: store.claim(1),
    "reclaim": lambda store: store.reclaim(),
    "finish": lambda store: store.finish(CLAIM, SIAMESE),
    "fail": lambda store: store.fail(CLAIM, "broken"),
    "requeue": lambda store: store.requeue(CLAIM, counts=True),
    "extend": lambda store: store.extend(CLAIM),
    "find": lambda store: store.find("id"),
    "backlog length": lambda store: store.backlog_length(),
    "list dead letters": lambda store: DeadLetters(store.redis, store).list(),
    "find a dead letter": lambda store: DeadLetters(store.redis, store).find("id"),
    "read a payload": lambda store: DeadLetters(store.redis, store).payload("id"),
    "replay": lambda store: DeadLetters(store.redis, store).replay("id"),
    "discard": lambda store: DeadLetters(store.redis, store).discard("id"),
}
each_method = pytest.mark.parametrize("call", EVERY_METHOD.values(), ids=list(EVERY_METHOD))


async def rewrite_the_append_only_file(redis: Redis) -> None:
    await redis.bgrewriteaof()

    async def is_rewritten() -> bool:
        info = await redis.info("persistence")
        return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]

    await wait_until(is_rewritten)


async def kill(server: RedisServer, redis: Redis) -> None:
    """Kill Redis once its file is complete: with a busy disk it may write up to two seconds after its replies."""

    async def file_is_complete() -> bool:
        return bool((await redis.info("persistence"))["aof_buffer_length"] == 0)

    await wait_until(file_is_complete)
    server.kill()


@pytest.mark.parametrize("job_id", ["unknown", "", "*", "../backlog", "a b\r\nc", "猫", "0" * 10_000])
async def test_an_unknown_job_is_not_found(store: JobStore, job_id: str) -> None:
    await submit(store, b"payload")
    assert await store.find(job_id) is None


async def test_the_backlog_length_counts_jobs_that_have_not_ended(store: JobStore) -> None:
    assert await store.backlog_length() == 0
    await submit(store, b"1", b"2", b"3")
    claim = await claim_one(store)
    assert await store.backlog_length() == 3
    await store.finish(claim, SIAMESE)
    assert await store.backlog_length() == 2


async def test_an_emptied_redis_accepts_new_jobs_and_refuses_late_results(store: JobStore) -> None:
    await submit(store, b"1", b"2")
    lost = await claim_one(store)
    await store.redis.flushall()
    assert not await store.extend(lost)
    assert not await store.finish(lost, SIAMESE)
    assert not await store.requeue(lost, counts=True)
    assert await contents(store.redis) == {}
    (job_id,) = await submit(store, b"3")
    assert (await claim_one(store)).job_id == job_id


async def test_a_caller_can_be_cancelled_at_any_moment(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    for turns in range(40):
        caller = asyncio.create_task(store.find(job_id))
        await run_event_loop(turns)
        if caller.cancel():
            await asyncio.wait([caller])
            assert caller.cancelled(), f"when cancelled after {turns} turns of the event loop"
    assert await store.find(job_id)


@each_method
async def test_every_method_raises_store_unavailable_without_redis(
    own_redis_server: RedisServer, call: Callable[[JobStore], Awaitable[object]]
) -> None:
    async with own_redis_server.client() as redis:
        with pytest.raises(StoreUnavailable, match="connecting"):
            await call(JobStore(redis))


async def test_every_method_times_out_while_redis_is_stalled(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    async with connect(own_redis_server.url, name="test", timeout=timedelta(milliseconds=100)) as redis:
        store = JobStore(redis)
        with stall(own_redis_server):
            for call in EVERY_METHOD.values():
                with pytest.raises(StoreUnavailable, match="Timeout"):
                    await call(store)


async def test_the_store_is_unavailable_while_redis_loads_its_file_and_then_has_every_job(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        ids = await submit(store, *(random.randbytes(40_000) for _ in range(200)))
        await rewrite_the_append_only_file(redis)
        await kill(own_redis_server, redis)
        command, slow_load = redis_on_this_machine.command, ["--key-load-delay", "2000"]  # microseconds per key
        monkeypatch.setattr(
            redis_on_this_machine, "command", lambda *args, **options: [*command(*args, **options), *slow_load]
        )
        starting = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(own_redis_server.start())))

        async def is_loading() -> bool:
            try:
                return await store.find(ids[0]) is None
            except StoreUnavailable as error:
                return "loading" in str(error)

        await wait_until(is_loading)
        await starting
        assert await backlog(store) == ids


@pytest.mark.parametrize("rewritten", [False, True], ids=["appended", "rewritten"])
async def test_every_job_survives_a_crash_of_redis(own_redis_server: RedisServer, rewritten: bool) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        dead_letters = DeadLetters(redis, store)
        succeeded, failed, held, expired, requeued, queued = await submit(store, b"1", b"2", b"3", b"4", b"5", b"6")
        claims = {claim.job_id: claim for claim in (await store.claim(5)).claims}
        await store.finish(claims[succeeded], SIAMESE)
        await store.fail(claims[failed], "broken")
        await store.requeue(claims[requeued], counts=True)
        await expire_lease(store, expired)
        before = [await get_job(store, job_id) for job_id in (succeeded, failed, held, expired, requeued, queued)]
        if rewritten:
            await rewrite_the_append_only_file(redis)
        await kill(own_redis_server, redis)
        with pytest.raises(StoreUnavailable):
            await store.find(queued)
        await own_redis_server.start()
        for job in before:
            after = await get_job(store, job.id)
            assert abs(after.expires_at - job.expires_at) < timedelta(seconds=1)
            assert replace(after, expires_at=job.expires_at) == job
        assert await pending(store) == [held, expired]
        claimed = await claim(store, 5)
        payloads = [(claim.job_id, claim.payload) for claim in claimed]
        assert payloads == [
            (expired, b"4"),
            (queued, b"6"),
            (requeued, b"5"),
        ]
        assert await store.finish(claims[held], SIAMESE), "its lease has not expired"
        assert not await store.finish(claims[expired], SIAMESE)
        assert [letter.id for letter in await dead_letters.list()] == [failed]
        assert await dead_letters.replay(failed)
