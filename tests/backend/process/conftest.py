"""The worker as a process, with a real Redis behind a link that fails. The model server has no model."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bench.null_model import NullModel, serve
from harness.process import PYTHON, Process, free_port
from harness.redis import RedisServer, redis_url
from job_store import JobStore, Policy
from tests.backend.process.jobs import LEASE_S, MODEL, StartWorker
from tests.chaos.tcp_link import TcpLink


@contextmanager
def model_server(model: NullModel, port: int) -> Iterator[None]:
    server: Any = serve(model, f"127.0.0.1:{port}", threads=8)
    try:
        yield
    finally:
        server.stop(0).wait()


@pytest.fixture
def model() -> NullModel:
    return NullModel(MODEL, predict_s=0.002)


@pytest_asyncio.fixture
async def store(own_redis_server: RedisServer) -> AsyncIterator[JobStore]:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        yield JobStore(redis, Policy(lease=timedelta(seconds=LEASE_S)))


@pytest_asyncio.fixture
async def link(store: JobStore, own_redis_server: RedisServer) -> AsyncIterator[TcpLink]:
    """From the worker to Redis."""
    async with TcpLink(own_redis_server.port) as link:
        yield link


@pytest.fixture
def start_worker(link: TcpLink, model: NullModel, tmp_path: Path) -> Iterator[StartWorker]:
    model_port, processes = free_port(), []

    def start(module: str = "backend", **settings: str) -> Process:
        environment = {
            "REDIS_URL": redis_url(link.port),
            "ACCURATE_MODEL_ADDRESS": f"127.0.0.1:{model_port}",
            "LEASE": str(LEASE_S),
            **settings,
        }
        processes.append(Process([PYTHON, "-m", module], environment, tmp_path / "worker"))
        processes[-1].start()
        return processes[-1]

    with model_server(model, model_port):
        yield start
        for process in processes:
            process.stop()
