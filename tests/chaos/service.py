"""The whole path in real processes, with two workers, and every way between them in the suite's hand."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from harness.process import PYTHON, Process, free_port
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStore
from tests.chaos.link import Link
from tests.chaos.small_models import ACCURATE, FAST

LEASE_S: Final = 2.0
BATCH_SIZE: Final = 4
LANES: Final = 2
SETTINGS: Final = {
    "LEASE": str(LEASE_S),
    "BATCH_SIZE": str(BATCH_SIZE),
    "BATCHES_IN_FLIGHT": str(LANES),
    "PREDICT_DEADLINE": "5",
}
"""What is not the default: a lost worker is missed sooner, and there are more batches than jobs come in a second."""


@dataclass
class Worker:
    process: Process
    to_redis: Link
    to_model: Link

    def lose(self) -> None:
        """SIGKILL, and nothing that it had sent arrives any more. Then started again, as a supervisor does."""
        self.process.kill()
        for link in (self.to_redis, self.to_model):
            link.cut()
            link.restore()
        self.process.start()


@dataclass
class Service:
    """Both workers have one name, one group and one consumer in Redis: it is so in production too."""

    directory: Path
    models: Path
    redis: RedisServer
    fast: Process
    accurate: Process
    proxy: Process
    workers: Sequence[Worker]
    to_redis: Link
    """From the proxy."""
    to_fast: Link
    port: int
    accurate_rest_port: int
    store: JobStore
    """Seen from a client of the suite's own, straight and not over a link."""

    @property
    def victim(self) -> Worker:
        return self.workers[0]

    @property
    def redis_links(self) -> Sequence[Link]:
        return [self.to_redis, *(worker.to_redis for worker in self.workers)]

    @property
    def model_links(self) -> Sequence[Link]:
        return [self.to_fast, *(worker.to_model for worker in self.workers)]

    @property
    def processes(self) -> Mapping[str, Process]:
        workers = {f"worker {number}": worker.process for number, worker in enumerate(self.workers, start=1)}
        return {"proxy": self.proxy, "fast model": self.fast, "accurate model": self.accurate, **workers}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, timeout: float = 15) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=timeout, trust_env=False)

    async def is_idle(self) -> bool:
        """Whether no job waits or is worked on."""
        return await self.store.backlog_length() == 0

    async def has_all_workers(self) -> bool:
        """Whether each lane of each worker waits for work: it has a connection for that."""
        try:
            clients = await self.store.redis.client_list()
        except RedisError:
            return False
        return sum(client["name"] == "backend-listener" for client in clients) >= LANES * len(self.workers)

    async def until_up(self) -> None:
        async def is_up() -> bool:
            try:
                async with self.client() as client:
                    return set((await client.get("/health/all")).json().values()) == {"ok"}
            except (httpx.TransportError, ValueError):
                return False

        await wait_until(is_up, within=90)
        await wait_until(self.has_all_workers)


@asynccontextmanager
async def serving(directory: Path, models: Path, settings: Mapping[str, str] | None = None) -> AsyncIterator[Service]:
    """Start a service on a copy of the models in `directory`, and end all of it, whatever became of it."""
    shutil.copytree(models, directory / "models", symlinks=True)
    (directory / "redis").mkdir()
    redis = RedisServer(directory / "redis")
    async with AsyncExitStack() as stack:
        fast, fast_port, _ = model_server(FAST, directory / "models", directory / "fast")
        accurate, accurate_port, rest_port = model_server(ACCURATE, directory / "models", directory / "accurate")
        to_redis, to_fast = [await stack.enter_async_context(Link(port)) for port in (redis.port, fast_port)]
        shared = {**SETTINGS, "HOST": "127.0.0.1", **(settings or {})}
        port = free_port()
        proxy = Process(
            [PYTHON, "-m", "proxy"],
            {
                **shared,
                "PORT": str(port),
                "REDIS_URL": redis_url(to_redis),
                "FAST_MODEL_ADDRESS": f"127.0.0.1:{to_fast.port}",
                "ACCURATE_MODEL_ADDRESS": f"127.0.0.1:{accurate_port}",
            },
            directory / "proxy",
        )
        workers = []
        for number in (1, 2):
            links = [await stack.enter_async_context(Link(target)) for target in (redis.port, accurate_port)]
            workers.append(worker(directory / f"worker-{number}", shared, *links))
        client: Redis = await stack.enter_async_context(redis.client())
        service = Service(
            directory, directory / "models", redis, fast, accurate, proxy, workers, to_redis, to_fast, port,
            rest_port, JobStore(client),
        )  # fmt: skip
        stack.push_async_callback(asyncio.to_thread, end, service)
        await redis.start()
        for process in service.processes.values():
            process.start()
        await service.until_up()
        yield service


def worker(log: Path, settings: Mapping[str, str], to_redis: Link, to_model: Link) -> Worker:
    environment = {
        **settings,
        "REDIS_URL": redis_url(to_redis),
        "ACCURATE_MODEL_ADDRESS": f"127.0.0.1:{to_model.port}",
    }
    return Worker(Process([PYTHON, "-m", "backend"], environment, log), to_redis, to_model)


def model_server(name: str, base_path: Path, log: Path) -> tuple[Process, int, int]:
    """A model server with its gRPC and REST ports."""
    port, rest_port = free_port(), free_port()
    flags = {"host": "127.0.0.1", "port": port, "rest_api_port": rest_port, "model_name": name}
    flags["model_base_path"] = str(base_path / name)
    command = [PYTHON, "-m", "local_tf_serving", *(f"--{flag}={value}" for flag, value in flags.items())]
    return Process(command, {}, log), port, rest_port


def redis_url(link: Link) -> str:
    return f"redis://127.0.0.1:{link.port}/0"


def end(service: Service) -> None:
    """Takes seconds, in which the links must go on: a worker that ends gives back what it holds."""
    for process in service.processes.values():
        process.stop()
    service.redis.stop()
