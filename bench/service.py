"""The stack under measurement: the processes of `make run`, on the exported models or on null models."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

import httpx
from redis import Redis

from harness.stack import ACCURATE_MODEL, FAST_MODEL, Stack
from harness.waiting import wait_until
from job_store import JobStore, Keys, Policy, connect

T = TypeVar("T")

STARTUP_TIMEOUT_S: Final = 120.0
UNLIMITED_QUEUE: Final = {"MAX_QUEUE_LENGTH": "1000000"}
LARGE_MEMORY: Final = "4gb"
"""Without a worker, jobs pile up, and these limits are raised. With one, every setting has its default."""


class MeasurementError(Exception):
    """The service does not behave as the measure requires."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    models: Path | None = None
    """The exported models. None: null models replace them."""
    has_worker: bool = True
    model_server_flags: str = ""


class Service(Stack):
    """A stack with the commands that a benchmark needs, all of them synchronous."""

    @cached_property
    def redis_client(self) -> Redis:
        return Redis(port=self.redis.port)

    def shed_count(self) -> int:
        """Return the number of fast answers without a job so far; the proxy logs each of them."""
        return self.proxy.log.read_bytes().count(b"job shed")

    def backlog_length(self) -> int:
        """Jobs that are queued or being worked on."""
        return int(self.redis_client.xlen(Keys().backlog))

    def clear(self) -> None:
        """Delete every job. If a worker is processing one, Redis refuses its result."""
        self.redis_client.flushall()

    def with_store(self, use: Callable[[JobStore], Awaitable[T]]) -> T:
        """Run `use` with a job store whose backlog has no limit."""

        async def run() -> T:
            async with connect(self.redis.url, name="bench", timeout=timedelta(seconds=30)) as redis:
                return await use(JobStore(redis, Policy(max_backlog=10_000_000)))

        return asyncio.run(run())

    def wait_for_jobs(self) -> None:
        """Return when no job is queued or being worked on."""
        asyncio.run(self.wait_until_idle())

    async def accepts_jobs(self) -> bool:
        try:
            async with self.client() as client:
                return bool((await client.get("/predict/test")).json()["job_id"])
        except (httpx.TransportError, ValueError):
            return False


@contextmanager
def local_service(options: ServiceOptions, directory: Path) -> Iterator[Service]:
    """Start a service with its logs and its Redis in `directory`, and stop it on exit."""
    service = Service(
        directory, options.models or directory, {} if options.has_worker else UNLIMITED_QUEUE,
        worker_count=int(options.has_worker), redis_maxmemory="1gb" if options.has_worker else LARGE_MEMORY,
        model_server_flags=options.model_server_flags, has_priorities=True,
    )  # fmt: skip
    if options.models is None:
        service.fast.command = _null_model(FAST_MODEL, service.fast_port)
        service.accurate.command = _null_model(ACCURATE_MODEL, service.accurate_port)

    async def start() -> None:
        await service.start()
        await wait_until(service.accepts_jobs, within=STARTUP_TIMEOUT_S)

    try:
        asyncio.run(start())
        service.clear()
        yield service
    finally:
        service.redis_client.close()
        service.stop()


def _null_model(name: str, port: int) -> list[str]:
    return [sys.executable, "-m", "bench.null_model", f"--port={port}", f"--model_name={name}"]
