"""The shared fixtures: a real Redis, the exported models, and all processes of the service."""

import importlib
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from harness import models
from harness.process import ROOT
from harness.redis import RedisServer
from harness.stack import Stack

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # no test sends telemetry
importlib.import_module("openvino")  # whole: local_tf_serving imports it without the converter that exports need
hypothesis.settings.register_profile("shared machine", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("shared machine")
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler)  # stops the harness's processes, as Ctrl-C does


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests, and group tests that share servers, so that pytest-xdist runs each group in one process.

    A directory is a group, except that all users of `stack` are one. That group is the largest and comes first.
    """
    for item in items:
        fixtures = item.fixturenames if isinstance(item, pytest.Function) else []
        if "slow" in fixtures:
            item.add_marker(pytest.mark.slow)
        item.add_marker(pytest.mark.xdist_group("stack" if "stack" in fixtures else str(item.path.parent)))
    items.sort(key=lambda item: "stack" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def slow() -> None:
    """Requested by the fixtures that export or serve a model or start containers."""


@pytest_asyncio.fixture(scope="session")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    await server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """An empty Redis. A test that leaves a key without a TTL fails."""
    async with redis_server.client() as client:
        await client.flushall()
        yield client
        await assert_all_keys_expire(client)


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that is not started yet, for a test that stops or fills it."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def models_dir(slow: None) -> Path:
    return models.export_both()


@pytest_asyncio.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> AsyncIterator[Stack]:
    """All processes, running. A test that stops one of them starts it again."""
    stack = Stack(tmp_path_factory.mktemp("stack"), models_dir)
    try:
        await stack.start()
        yield stack
        async with stack.redis.client() as client:
            await assert_all_keys_expire(client)
    finally:
        stack.stop()


@pytest_asyncio.fixture
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.client() as client:
        yield client


@pytest.fixture(scope="session")
def cat() -> bytes:
    return (ROOT / "data" / "cat.jpg").read_bytes()


async def assert_all_keys_expire(client: Redis) -> None:
    keys_without_ttl = [key async for key in client.scan_iter() if await client.ttl(key) == -1]
    assert keys_without_ttl == []
