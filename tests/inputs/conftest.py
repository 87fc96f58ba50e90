from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.redis import RedisServer
from tests.inputs.service import Service, service


@pytest_asyncio.fixture(scope="module")
async def texts(
    slow: None, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    directory = tmp_path_factory.mktemp("texts")
    async with service(redis_server, directory, INPUT="text", MAX_TEXT_BYTES="1000") as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def data(
    slow: None, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    directory: Path = tmp_path_factory.mktemp("data")
    (directory / "sample").write_bytes(b"\x00good\xff")
    settings = {"INPUT": "bytes", "MAX_DATA_BYTES": "1000", "TEST_INPUT": str(directory / "sample")}
    async with service(redis_server, directory, **settings) as running:
        yield running
