"""What every test may ask for: a real Redis, emptied before and inspected after."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.support.redis import RedisServer


@pytest_asyncio.fixture(scope="session")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    await server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """An empty Redis. A test that leaves a key without a time to live fails: every key has one ."""
    async with redis_server.client() as client:
        await client.flushall()
        yield client
        immortal = [key async for key in client.scan_iter() if await client.ttl(key) == -1]
        assert immortal == [], "keys without a time to live"


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, not yet started, for tests that stop or fill it."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()
