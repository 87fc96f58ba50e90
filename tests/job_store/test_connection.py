import asyncio
import random
from contextlib import suppress
from datetime import timedelta

import pytest

from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStore, StoreUnavailable, connect
from job_store.connection import MAX_CONNECTIONS
from tests.job_store.flaky_network import FlakyNetwork
from tests.job_store.inspection import backlog
from tests.job_store.jobs import submit

SECOND = timedelta(seconds=1)


async def test_a_connection_says_whose_it_is(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="proxy", timeout=SECOND) as redis:
        assert (await redis.client_info())["name"] == "proxy"


async def test_a_command_whose_answer_was_lost_is_not_sent_again(store: JobStore, redis_server: RedisServer) -> None:
    async with (
        FlakyNetwork(redis_server.port) as network,
        connect(network.url, name="far", timeout=5 * SECOND) as redis,
    ):
        far_store = JobStore(redis)
        before = await submit(far_store, b"payload")
        network.drop_next_reply()
        with pytest.raises(StoreUnavailable, match="closed"):
            await submit(far_store, b"payload")
        after = await submit(far_store, b"payload")
        first, _, last = await backlog(store)
        assert [first, last] == before + after, "what got no answer was done, and done once"


async def test_a_redis_that_came_back_is_found_by_the_first_command(own_redis_server: RedisServer) -> None:
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


async def test_more_callers_than_connections_wait_their_turn(redis_server: RedisServer) -> None:
    async with connect(redis_server.url, name="busy", timeout=5 * SECOND) as redis:
        store = JobStore(redis)
        ids = await asyncio.gather(*(store.submit(b"payload", {}) for _ in range(10 * MAX_CONNECTIONS)))
        assert len(set(ids)) == 10 * MAX_CONNECTIONS
        clients = await redis.client_list()
        assert sum(client["name"] == "busy" for client in clients) <= MAX_CONNECTIONS


async def test_callers_that_go_away_take_no_connection_and_no_answer_with_them(
    store: JobStore, redis_server: RedisServer
) -> None:
    chance = random.Random(1)
    ids = [await store.submit(b"payload", {"number": number}) for number in range(20)]

    async def ask(number: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.expovariate(1_000)):
                job = await store.find(ids[number % 20])
                assert job
                assert job.provisional == {"number": number % 20}

    for _ in range(5):
        await asyncio.gather(*(ask(number) for number in range(400)))
    async with redis_server.client() as onlooker:

        async def every_connection_is_in_use() -> bool:
            return bool((await onlooker.info("clients"))["blocked_clients"] == MAX_CONNECTIONS)

        held = asyncio.gather(*(store.redis.blpop(["enough"], timeout=5) for _ in range(MAX_CONNECTIONS)))
        await wait_until(every_connection_is_in_use)
        await onlooker.rpush("enough", *range(MAX_CONNECTIONS))
        await held
