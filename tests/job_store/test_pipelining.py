"""Commands that come together share a round trip, and nothing else."""

import asyncio
from datetime import timedelta

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

SECOND = timedelta(seconds=1)


async def reads(redis: Redis) -> int:
    """How often Redis has read from any connection."""
    return int((await redis.info("stats"))["total_reads_processed"])


async def test_jobs_that_come_together_share_a_round_trip(store: JobStore, redis_server: RedisServer) -> None:
    await store.submit(b"payload", {})  # now there is a connection, and Redis knows the script
    async with redis_server.client() as onlooker:
        before = await reads(onlooker)
        ids = await asyncio.gather(*(store.submit(b"payload", {}) for _ in range(8)))
        assert await reads(onlooker) - before <= 2, "one for the jobs and one for this question"
    assert [job_id for job_id in await backlog(store) if job_id in ids] == ids


async def test_each_gets_its_own_answer_or_error(redis: Redis) -> None:
    together = Pipelining(redis)
    answers = await asyncio.gather(
        together.execute("SET", "text", "a", "EX", 60),
        together.execute("INCR", "text"),
        together.execute("GET", "text"),
        return_exceptions=True,
    )
    assert answers[0] is True
    assert isinstance(answers[1], ResponseError)
    assert answers[2] == b"a"


async def test_what_cannot_be_sent_is_an_error_for_nobody_else(redis: Redis) -> None:
    together = Pipelining(redis)
    half_a_character = "\ud800"
    answers = await asyncio.gather(
        together.execute("SET", "first", "a", "EX", 60),
        together.execute("SET", "second", half_a_character, "EX", 60),
        together.execute("SET", "third", "c", "EX", 60),
        return_exceptions=True,
    )
    assert answers[0] is True
    assert isinstance(answers[1], UnicodeEncodeError)
    assert answers[2] is True


async def test_whoever_gives_up_before_there_is_a_connection_has_sent_nothing(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="busy", timeout=5 * SECOND) as redis:
        together = Pipelining(redis)
        pool = redis.connection_pool
        taken = [await pool.get_connection() for _ in range(MAX_CONNECTIONS)]  # type: ignore[no-untyped-call]
        leaving = [asyncio.create_task(together.execute("SET", f"left-{n}", "a", "EX", 60)) for n in range(3)]
        await asyncio.wait(leaving, timeout=0.1)
        for each in leaving:
            each.cancel()
        await asyncio.wait(leaving)
        for connection in taken:
            await pool.release(connection)
        assert await redis.mget("left-0", "left-1", "left-2") == [None] * 3


async def test_whoever_leaves_before_it_is_sent_has_sent_nothing(redis: Redis) -> None:
    together = Pipelining(redis)
    leaving = asyncio.create_task(together.execute("SET", "left", "a", "EX", 60))
    staying = asyncio.create_task(together.execute("SET", "stayed", "a", "EX", 60))
    asyncio.get_running_loop().call_soon(leaving.cancel)  # after it has asked, and before anything is sent
    await asyncio.wait([leaving, staying])
    assert leaving.cancelled()
    assert await redis.mget("left", "stayed") == [None, b"a"]


async def test_whoever_leaves_before_the_answer_takes_nobody_along(redis: Redis) -> None:
    together = Pipelining(redis)
    waiting = [asyncio.create_task(together.execute("BLPOP", f"list-{number}", 0.1)) for number in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting[0].cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, type(None), type(None)]
    assert await together.execute("PING") is True, "its answer went to nobody else"


async def test_small_ones_do_not_wait_for_large_ones_to_be_sent(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="parcels", timeout=5 * SECOND) as redis:
        together = Pipelining(redis)
        large, huge = b"x" * (MAX_PIPELINE_BYTES - 1), b"x" * (MAX_PIPELINE_BYTES + 1)
        await asyncio.gather(*(together.execute("ECHO", text) for text in (huge, b"a", b"b", large, large, b"c")))
        names = [client["name"] for client in await redis.client_list()]
        assert names.count("parcels") == 4, "the huge one, a and b, the first large one, the second with c"


async def test_a_connection_that_is_lost_is_an_error_for_all_on_it(redis_server: RedisServer) -> None:
    async with (
        FlakyNetwork(redis_server.port) as network,
        connect(network.url, name="far", timeout=5 * SECOND) as redis,
    ):
        far_store = JobStore(redis)
        await far_store.submit(b"payload", {})
        network.drop_next_reply()
        outcomes = await asyncio.gather(*(far_store.submit(b"payload", {}) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
        assert isinstance(outcomes[0], StoreUnavailable)
        assert isinstance(outcomes[0].__cause__, RedisConnectionError)
        assert len(await asyncio.gather(*(far_store.submit(b"payload", {}) for _ in range(3)))) == 3


async def test_a_script_that_redis_forgot_is_sent_again_for_each(store: JobStore) -> None:
    await store.submit(b"payload", {})
    await store.redis.script_flush()
    ids = await asyncio.gather(*(store.submit(b"payload", {}) for _ in range(8)))
    assert sorted((await backlog(store))[1:]) == sorted(ids)


@pytest.mark.parametrize("count", [1, 3])
async def test_a_store_that_stands_still_is_given_up_on(count: int, redis_server: RedisServer) -> None:
    async with (
        FlakyNetwork(redis_server.port) as network,
        connect(network.url, name="far", timeout=timedelta(milliseconds=200)) as redis,
    ):
        far_store = JobStore(redis)
        await far_store.submit(b"payload", {})
        network.freeze_connections()
        outcomes = await asyncio.gather(
            *(far_store.submit(b"payload", {}) for _ in range(count)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * count
        assert await far_store.submit(b"payload", {})
