import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest
import pytest_asyncio

from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStore, Policy
from tests.job_store.inspection import keys
from tests.job_store.jobs import top_five

PROVISIONAL: Final = top_five("mobilenet_v2", "Persian cat")
OUTPUT: Final = top_five("inception_v3", "Siamese cat")


@pytest_asyncio.fixture
async def store(own_redis_server: RedisServer) -> AsyncIterator[JobStore]:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        yield JobStore(redis, Policy(job_ttl=timedelta(milliseconds=300)))


async def finish_jobs(store: JobStore, number: int) -> None:
    for _ in range(number // 10):
        await asyncio.gather(*(store.submit(bytes(10_000), PROVISIONAL) for _ in range(10)))
        await asyncio.gather(*(store.finish(claim, OUTPUT) for claim in (await store.claim(10)).claims))
    assert await store.backlog_length() == 0


async def size(store: JobStore, key: str) -> int:
    """Bytes of all that Redis keeps for the key."""
    return await store.redis.memory_usage(key, samples=0) or 0


@pytest.mark.parametrize(("longest_compact_value", "kilobyte"), [(512, 1.0), (64, 1.5)], ids=["compact", "as it comes"])
async def test_a_finished_job_costs_less_than_a_kilobyte_where_redis_keeps_short_hashes_compact(
    store: JobStore, longest_compact_value: int, kilobyte: float
) -> None:
    """Redis, as it comes, keeps a hash compact only while no value in it is longer than 64 bytes. Answers are."""
    await store.redis.config_set("hash-max-ziplist-value", longest_compact_value)
    store = JobStore(store.redis)
    await finish_jobs(store, 10)
    jobs = await keys(store.redis) - {store.keys.backlog}
    assert len(jobs) == 10, "one key a job"
    for job in jobs:
        assert await size(store, job) < kilobyte * 1024


async def test_memory_is_where_it_was_once_jobs_have_expired(store: JobStore) -> None:
    async def only_the_backlog_is_left() -> bool:
        return await keys(store.redis) == {store.keys.backlog}

    readings = []
    for _ in range(4):
        await finish_jobs(store, 300)
        await wait_until(only_the_backlog_is_left)
        await store.redis.connection_pool.disconnect()  # their buffers are not what jobs cost
        readings.append(int((await store.redis.info("memory"))["used_memory"]))
    *_, before, after = readings  # at first Redis makes room once and for all
    assert after - before < 300 * 32, "32 bytes a job would be a leak"
    assert await size(store, store.keys.backlog) < 1024, "and its stream and group are as small as ever"
