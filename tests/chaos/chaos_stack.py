"""All processes with two workers, small models, and a fault-injecting link for every connection between them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from harness.process import Process
from harness.redis import redis_url
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import JobStore
from tests.chaos.tcp_link import TcpLink

BATCH_SIZE: Final = 4
BATCHES_IN_FLIGHT: Final = 2
SETTINGS: Final = {
    "LEASE": "2",
    "BATCH_SIZE": str(BATCH_SIZE),
    "BATCHES_IN_FLIGHT": str(BATCHES_IN_FLIGHT),
    "PREDICT_DEADLINE": "5",
}
"""A short lease, so that the jobs of a dead worker are claimed soon, and small batches, so that there are many."""

JOB_TTL_S: Final = 3
BODY_TIMEOUT_S: Final = 2
"""Of the stack that the tests share."""


@dataclass(frozen=True, slots=True)
class LinkedWorker:
    process: Process
    redis_link: TcpLink
    model_link: TcpLink

    def crash_and_restart(self) -> None:
        """Kill the worker, drop the data it sent that is still in transit, and restart it as a supervisor would."""
        self.process.kill()
        for link in (self.redis_link, self.model_link):
            link.cut()
            link.restore()
        self.process.start()


@dataclass
class ChaosStack(Stack):
    worker_count: int = 2
    store: JobStore = field(init=False)
    """Connected to Redis directly, without a link."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.redis_link, self.fast_model_link = TcpLink(self.redis.port), TcpLink(self.fast_port)
        """From the proxy."""
        self.linked_workers = [
            LinkedWorker(process, TcpLink(self.redis.port), TcpLink(self.accurate_port)) for process in self.workers
        ]

    @property
    def lease_s(self) -> float:
        return float(self.settings["LEASE"])

    @property
    def target_worker(self) -> LinkedWorker:
        """The worker that faults are injected into."""
        return self.linked_workers[0]

    @property
    def redis_links(self) -> Sequence[TcpLink]:
        return [self.redis_link, *(worker.redis_link for worker in self.linked_workers)]

    @property
    def model_links(self) -> Sequence[TcpLink]:
        return [self.fast_model_link, *(worker.model_link for worker in self.linked_workers)]

    def use_links(self) -> None:
        """Point the settings of the proxy and the workers to the links, which must be open."""
        self.proxy.configure(
            REDIS_URL=redis_url(self.redis_link.port), FAST_MODEL_ADDRESS=f"127.0.0.1:{self.fast_model_link.port}"
        )
        for worker in self.linked_workers:
            worker.process.configure(
                REDIS_URL=redis_url(worker.redis_link.port),
                ACCURATE_MODEL_ADDRESS=f"127.0.0.1:{worker.model_link.port}",
            )

    async def wait_until_up(self) -> None:
        await super().wait_until_up()
        await wait_until(self.has_all_listeners)

    async def has_all_listeners(self) -> bool:
        """Whether every worker is ready to claim: it has a listening connection to Redis per batch in flight."""
        try:
            clients = await self.store.redis.client_list()
        except RedisError:
            return False
        listeners = sum(client["name"] == "backend-listener" for client in clients)
        return listeners >= BATCHES_IN_FLIGHT * self.worker_count


@asynccontextmanager
async def chaos_stack(
    directory: Path, models: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[ChaosStack]:
    """Start a stack on a copy of the models in `directory`, and always stop it."""
    shutil.copytree(models, directory / "models", symlinks=True)
    stack = ChaosStack(directory, directory / "models", {**SETTINGS, **(settings or {})})
    async with AsyncExitStack() as contexts:
        for link in [*stack.redis_links, *stack.model_links]:
            await contexts.enter_async_context(link)
        stack.use_links()
        stack.store = JobStore(await contexts.enter_async_context(stack.redis.client()))
        contexts.push_async_callback(asyncio.to_thread, stack.stop)  # while the links still forward
        await stack.start()
        yield stack
