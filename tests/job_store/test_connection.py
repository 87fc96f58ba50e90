import asyncio
import random
from contextlib import suppress
from datetime import timedelta
from typing import Final

import pytest

from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStore, StoreUnavailable, connect
from job_store.connection import MAX_CONNECTIONS
from tests.job_store.flaky_network import FlakyNetwork
from tests.job_store.inspection import backlog
from tests.job_store.jobs import submit

SECOND: Final = timedelta(seconds=1)


async def test_a_connection_is_named(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="proxy", timeout=SECOND) as redis:
        assert (await redis.client_info())["name"] == "proxy"


async def test_a_command_whose_reply_was_lost_is_not_retried(store: JobStore, redis_server: RedisServer) -> None:
    async with (
        FlakyNetwork(redis_server.port) as network,
        connect(network.url, name="flaky", timeout=5 * SECOND) as redis,
    ):
        flaky_store = JobStore(redis)
        before = await submit(flaky_store, b"payload")
        network.drop_next_reply()
        with pytest.raises(StoreUnavailable, match="closed"):
            await submit(flaky_store, b"payload")
        after = await submit(flaky_store, b"payload")
        first, _, last = await backlog(store)
        assert [first, last] == before + after, "the command without a reply was executed once"


async def test_the_first_command_after_a_restart_of_redis_succeeds(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        (job_id,) = await submit(store, b"payload")
        await asyncio.gather(*(store.find(job_id) for _ in range(MAX_CONNECTIONS)))
        own_redis_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.find(job_id)
        await own_redis_server.start()
        assert all(await asyncio.gather(*(store.find(job_id) for _ in range(MAX_CONNECTIONS))))


async def test_callers_block_when_the_pool_is_exhausted(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="busy", timeout=5 * SECOND) as redis:
        store = JobStore(redis)
        ids = await asyncio.gather(*(store.submit(b"payload", {}) for _ in range(10 * MAX_CONNECTIONS)))
        assert len(set(ids)) == 10 * MAX_CONNECTIONS
        clients = await redis.client_list()
        assert sum(client["name"] == "busy" for client in clients) <= MAX_CONNECTIONS


async def test_cancelled_callers_leak_no_connection_and_mix_up_no_replies(
    store: JobStore, redis_server: RedisServer
) -> None:
    rng = random.Random(1)
    ids = [await store.submit(b"payload", {"number": number}) for number in range(20)]

    async def find(number: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(rng.expovariate(1_000)):
                job = await store.find(ids[number % 20])
                assert job
                assert job.provisional == {"number": number % 20}

    for _ in range(5):
        await asyncio.gather(*(find(number) for number in range(400)))
    async with redis_server.client() as observer:

        async def every_connection_is_in_use() -> bool:
            return bool((await observer.info("clients"))["blocked_clients"] == MAX_CONNECTIONS)

        blocked = asyncio.gather(*(store.redis.blpop(["tokens"], timeout=5) for _ in range(MAX_CONNECTIONS)))
        await wait_until(every_connection_is_in_use)
        await observer.rpush("tokens", *range(MAX_CONNECTIONS))
        await blocked
