"""Commands issued together share a round trip and are otherwise independent."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from harness.redis import RedisServer
from job_store import JobStore, StoreUnavailable, connect
from job_store.connection import MAX_CONNECTIONS
from job_store.pipelining import MAX_PIPELINE_BYTES, Pipelining
from tests.job_store.flaky_network import FlakyNetwork
from tests.job_store.inspection import backlog

SECOND: Final = timedelta(seconds=1)


async def reads(redis: Redis) -> int:
    """Count the reads of Redis from all connections."""
    return int((await redis.info("stats"))["total_reads_processed"])


async def test_jobs_submitted_together_share_a_round_trip(store: JobStore, redis_server: RedisServer) -> None:
    await store.submit(b"payload", {})  # opens a connection and loads the script
    async with redis_server.client() as observer:
        before = await reads(observer)
        ids = await asyncio.gather(*(store.submit(b"payload", {}) for _ in range(8)))
        assert await reads(observer) - before <= 2, "one for the jobs and one for this INFO"
    assert [job_id for job_id in await backlog(store) if job_id in ids] == ids


async def test_each_command_has_its_own_reply_or_error(redis: Redis) -> None:
    pipelining = Pipelining(redis)
    replies = await asyncio.gather(
        pipelining.execute("SET", "text", "a", "EX", 60),
        pipelining.execute("INCR", "text"),
        pipelining.execute("GET", "text"),
        return_exceptions=True,
    )
    assert replies[0] is True
    assert isinstance(replies[1], ResponseError)
    assert replies[2] == b"a"


async def test_a_command_that_cannot_be_encoded_fails_alone(redis: Redis) -> None:
    pipelining = Pipelining(redis)
    surrogate = "\ud800"
    replies = await asyncio.gather(
        pipelining.execute("SET", "first", "a", "EX", 60),
        pipelining.execute("SET", "second", surrogate, "EX", 60),
        pipelining.execute("SET", "third", "c", "EX", 60),
        return_exceptions=True,
    )
    assert replies[0] is True
    assert isinstance(replies[1], UnicodeEncodeError)
    assert replies[2] is True


async def test_commands_cancelled_before_there_is_a_connection_are_not_sent(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="busy", timeout=5 * SECOND) as redis:
        pipelining = Pipelining(redis)
        pool = redis.connection_pool
        taken = [await pool.get_connection() for _ in range(MAX_CONNECTIONS)]  # type: ignore[no-untyped-call]
        cancelled = [asyncio.create_task(pipelining.execute("SET", f"key-{n}", "a", "EX", 60)) for n in range(3)]
        await asyncio.wait(cancelled, timeout=0.1)
        for task in cancelled:
            task.cancel()
        await asyncio.wait(cancelled)
        for connection in taken:
            await pool.release(connection)
        assert await redis.mget("key-0", "key-1", "key-2") == [None] * 3


async def test_a_command_cancelled_before_it_is_sent_is_not_sent(redis: Redis) -> None:
    pipelining = Pipelining(redis)
    cancelled = asyncio.create_task(pipelining.execute("SET", "cancelled", "a", "EX", 60))
    remaining = asyncio.create_task(pipelining.execute("SET", "remaining", "a", "EX", 60))
    asyncio.get_running_loop().call_soon(cancelled.cancel)  # after `execute` was called, before anything is sent
    await asyncio.wait([cancelled, remaining])
    assert cancelled.cancelled()
    assert await redis.mget("cancelled", "remaining") == [None, b"a"]


async def test_a_command_cancelled_before_its_reply_cancels_no_other(redis: Redis) -> None:
    pipelining = Pipelining(redis)
    waiting = [asyncio.create_task(pipelining.execute("BLPOP", f"list-{number}", 0.1)) for number in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting[0].cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, type(None), type(None)]
    assert await pipelining.execute("PING") is True, "the reply of the cancelled command was not mixed up with another"


async def test_a_round_trip_has_a_limited_size(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="chunks", timeout=5 * SECOND) as redis:
        pipelining = Pipelining(redis)
        large, huge = b"x" * (MAX_PIPELINE_BYTES - 1), b"x" * (MAX_PIPELINE_BYTES + 1)
        await asyncio.gather(*(pipelining.execute("ECHO", text) for text in (huge, b"a", b"b", large, large, b"c")))
        names = [client["name"] for client in await redis.client_list()]
        assert names.count("chunks") == 4, "huge; a and b; large; large and c"


async def test_a_lost_connection_fails_all_commands_on_it(redis_server: RedisServer) -> None:
    async with (
        FlakyNetwork(redis_server.port) as network,
        connect(network.url, name="flaky", timeout=5 * SECOND) as redis,
    ):
        flaky_store = JobStore(redis)
        await flaky_store.submit(b"payload", {})
        network.drop_next_reply()
        outcomes = await asyncio.gather(*(flaky_store.submit(b"payload", {}) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
        assert isinstance(outcomes[0], StoreUnavailable)
        assert isinstance(outcomes[0].__cause__, RedisConnectionError)
        assert len(await asyncio.gather(*(flaky_store.submit(b"payload", {}) for _ in range(3)))) == 3


async def test_each_command_resends_a_flushed_script(store: JobStore) -> None:
    await store.submit(b"payload", {})
    await store.redis.script_flush()
    ids = await asyncio.gather(*(store.submit(b"payload", {}) for _ in range(8)))
    assert sorted((await backlog(store))[1:]) == sorted(ids)


@pytest.mark.parametrize("count", [1, 3])
async def test_a_frozen_connection_times_out_and_is_replaced(count: int, redis_server: RedisServer) -> None:
    async with (
        FlakyNetwork(redis_server.port) as network,
        connect(network.url, name="flaky", timeout=timedelta(milliseconds=200)) as redis,
    ):
        flaky_store = JobStore(redis)
        await flaky_store.submit(b"payload", {})
        network.freeze_connections()
        outcomes = await asyncio.gather(
            *(flaky_store.submit(b"payload", {}) for _ in range(count)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * count
        assert await flaky_store.submit(b"payload", {})
