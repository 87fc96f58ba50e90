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
    """Return the bytes that Redis uses for the key."""
    return await store.redis.memory_usage(key, samples=0) or 0


@pytest.mark.parametrize(("max_compact_value", "max_kb"), [(512, 1.0), (64, 1.5)], ids=["512", "default"])
async def test_a_finished_job_uses_less_than_a_kilobyte_as_a_compact_hash(
    store: JobStore, max_compact_value: int, max_kb: float
) -> None:
    """By default Redis stores a hash compactly only if all its values are at most 64 bytes. Answers are longer."""
    await store.redis.config_set("hash-max-ziplist-value", max_compact_value)
    store = JobStore(store.redis)
    await finish_jobs(store, 10)
    jobs = await keys(store.redis) - {store.keys.backlog}
    assert len(jobs) == 10, "one key per job"
    for job in jobs:
        assert await size(store, job) < max_kb * 1024


@pytest.mark.slow
async def test_expired_jobs_leak_no_memory(store: JobStore) -> None:
    async def only_the_backlog_is_left() -> bool:
        return await keys(store.redis) == {store.keys.backlog}

    readings = []
    for _ in range(4):
        await finish_jobs(store, 300)
        await wait_until(only_the_backlog_is_left)
        await store.redis.connection_pool.disconnect()  # frees the buffers of the connections
        readings.append(int((await store.redis.info("memory"))["used_memory"]))
    *_, before, after = readings  # the first rounds include one-time allocations
    assert after - before < 300 * 32, "less than 32 bytes per job"
    assert await size(store, store.keys.backlog) < 1024, "the stream and its group have not grown"
