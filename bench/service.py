"""The whole path in real processes, started with the commands and the settings of `make run`."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from typing import Final, TypeVar
from urllib.request import ProxyHandler, build_opener

from redis import Redis
from redis.exceptions import RedisError

from bench.process import Process
from deploy.local.ports import HOST
from deploy.local.services import Ports, environment, services
from deploy.local.settings import LocalSettings
from job_store import JobStore, JobStoreError, Keys, Policy, connect

T = TypeVar("T")

UP_WITHIN_S: Final = 120.0
IDLE_WITHIN_S: Final = 120.0
PORTS: Final = range(12_000, 30_000, 50)
"""Where a service looks for free ports: below those that Linux gives to clients."""
HTTP: Final = build_opener(ProxyHandler({}))
"""Whatever proxy the environment names, this machine is asked directly."""


class NotAsExpected(Exception):
    """The service does not do what it is measured at."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a service is made of."""

    models: Path | None = None
    """Where the exported models are. None: null models in their place."""
    worker: bool = True
    model_server_flags: str = ""


ROOM: Final = {"MAX_QUEUE_LENGTH": "1000000"}
MEMORY: Final = "4gb"
"""For a service without a worker, where jobs pile up. With one, everything is at its default."""


class Service:
    def __init__(self, processes: Mapping[str, Process], at: Ports, local: LocalSettings) -> None:
        self.processes = processes
        self.fast_model, self.accurate_model = local.fast_model, local.accurate_model
        self.fast_address, self.accurate_address = f"{HOST}:{at.fast_model}", f"{HOST}:{at.accurate_model}"
        self.url = f"http://{HOST}:{at.proxy}"
        self.redis = Redis(host=HOST, port=at.redis)
        self._redis_url = f"redis://{HOST}:{at.redis}/0"

    @property
    def proxy(self) -> Process:
        return self.processes["proxy"]

    @property
    def worker(self) -> Process:
        return self.processes["backend"]

    def shed(self) -> int:
        """How many answers went out without a job so far: the proxy's log has a line for each."""
        return self.proxy.log.read_bytes().count(b"job shed")

    def waiting(self) -> int:
        """Jobs that wait or are worked on."""
        return int(self.redis.xlen(Keys().backlog))

    def empty(self) -> None:
        """Forget every job, done or not. Who works on one finds out by himself."""
        self.redis.flushall()

    def until_idle(self, within_s: float = IDLE_WITHIN_S) -> None:
        until(lambda: self.waiting() == 0, within_s, "its backlog is not worked off")

    def with_store(self, use: Callable[[JobStore], Awaitable[T]]) -> T:
        """Run `use` with a job store of the harness's own, which has no limit on how many jobs wait."""

        async def run() -> T:
            async with connect(self._redis_url, name="bench", timeout=timedelta(seconds=30)) as redis:
                return await use(JobStore(redis, Policy(max_backlog=10_000_000)))

        try:
            return asyncio.run(run())
        except JobStoreError as error:
            raise NotAsExpected(str(error)) from error

    def is_up(self) -> bool:
        """Whether both models answer, and a post gets a job: as `make run` sees it."""
        for process in self.processes.values():
            if not process.is_running:
                raise NotAsExpected(f"{process.name} ended by itself: {process.last_words()}")
        try:
            with HTTP.open(f"{self.url}/health/all", timeout=5) as answer:
                healthy = set(json.load(answer).values()) == {"ok"}
            with HTTP.open(f"{self.url}/predict/test", timeout=5) as answer:
                return healthy and bool(json.load(answer)["job_id"])
        except (OSError, ValueError, RedisError):
            return False


@contextmanager
def serving(kind: Kind, directory: Path) -> Iterator[Service]:
    """Start a service with its logs and its Redis in `directory`; end all of it, whatever becomes of the context."""
    directory.mkdir(parents=True)
    first = SystemRandom().choice(PORTS)
    local = LocalSettings(
        port=first, redis_port=first + 1, fast_model_port=first + 10, accurate_model_port=first + 20,
        models_dir=kind.models or directory, data_dir=directory, redis_maxmemory="1gb" if kind.worker else MEMORY,
        model_server_flags=kind.model_server_flags,
    )  # fmt: skip
    at = Ports.choose(local)
    told = {**environment(local, at), **({} if kind.worker else ROOM)}
    null = {} if kind.models else {local.fast_model: at.fast_model, local.accurate_model: at.accurate_model}
    with ExitStack() as stack:
        processes: dict[str, Process] = {}
        for part in services(local, at):
            if part.is_one_shot or (part.name == "backend" and not kind.worker):
                continue
            command = null_model(part.name, null[part.name]) if part.name in null else part.command
            processes[part.name] = Process(part.name, command, directory / f"{part.name}.log", told)
            stack.callback(processes[part.name].stop)
        service = Service(processes, at, local)
        stack.callback(service.redis.close)
        until(service.is_up, UP_WITHIN_S, "it does not come up")
        service.empty()
        yield service


def null_model(name: str, port: int) -> list[str]:
    return [sys.executable, "-m", "bench.null_model", f"--port={port}", f"--model_name={name}"]


def until(condition: Callable[[], bool], within_s: float, otherwise: str) -> None:
    """Return when the condition is true. Raises `NotAsExpected` with `otherwise`."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise NotAsExpected(f"{otherwise} within {within_s:g} s")
        time.sleep(0.05)
