"""A running stack whose models a test breaks and mends."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.stack import Stack
from job_store import JobStore
from tests.chaos.small_models import export_once
from tests.mismatch.breakable import Breakable


@pytest.fixture(scope="session")
def good_models(slow: None) -> Path:
    return export_once()


@pytest_asyncio.fixture(scope="session")
async def breakable(good_models: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    directory = tmp_path_factory.mktemp("mismatch")
    shutil.copytree(good_models, directory / "models")
    stack = Stack(
        directory / "stack",
        directory / "models",
        {"BATCH_SIZE": "4", "LEASE": "5"},
        model_server_flags="--max_num_load_retries=1 --load_retry_interval_micros=50000",
    )
    try:
        await stack.start()
        async with stack.redis.client() as redis, stack.client() as client:
            yield Breakable(stack, good_models, JobStore(redis), client)
    finally:
        stack.stop()
