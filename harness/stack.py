"""All processes of `make run`, each of which a caller can reconfigure, kill and start again."""

import contextlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import Final

import httpx

from deploy.local.ports import HOST, NoFreePort, free_ports
from deploy.local.services import Ports, environment, services
from deploy.local.settings import LocalSettings
from harness.process import PYTHON, Process
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStore

FAST_MODEL: Final = "mobilenet_v2"
ACCURATE_MODEL: Final = "inception_v3"
FIRST_PORTS: Final = range(12_000, 30_000, 50)
"""Candidates for the first of the 50 ports that a stack reserves, below Linux's ephemeral ports."""
STARTUP_TIMEOUT_S: Final = 90.0
IDLE_TIMEOUT_S: Final = 120.0


@dataclass  # without slots: __post_init__ and subclasses add attributes
class Stack:
    directory: Path
    """Logs, and the files of Redis."""
    models: Path
    """Exported models, as `<name>/<version>/`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings besides those that `make run` passes."""
    worker_count: int = 1
    redis_maxmemory: str = "1gb"
    model_server_flags: str = ""
    has_priorities: bool = False
    """Whether the accurate model and the workers run at nice 10, as in `make run`.

    Tests leave this off, because they could time out on a busy machine.
    """

    def __post_init__(self) -> None:
        log = self.directory / "log"
        log.mkdir(parents=True)
        self._reservation = _reserve_ports()
        local = self._local_settings(self._reservation.getsockname()[1] + 1)
        ports = Ports.choose(local)
        commands = {service.name: self._with_priority(service.command) for service in services(local, ports)}
        self.settings = {**environment(local, ports), **self.environment}
        self.port, self.fast_port, self.accurate_port = ports.proxy, ports.fast_model, ports.accurate_model
        self.redis = RedisServer(self.directory / "redis", ports.redis, commands["redis"])
        self.redis.directory.mkdir()
        self.fast = Process(commands[FAST_MODEL], self.settings, log / "fast")
        self.accurate = Process(commands[ACCURATE_MODEL], self.settings, log / "accurate")
        self.workers = [
            Process(commands["backend"], self.settings, log / f"worker-{number + 1}")
            for number in range(self.worker_count)
        ]
        self.proxy = Process(commands["proxy"], self.settings, log / "proxy")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def fast_address(self) -> str:
        return f"{HOST}:{self.fast_port}"

    @property
    def accurate_address(self) -> str:
        return f"{HOST}:{self.accurate_port}"

    @property
    def accurate_rest_port(self) -> int:
        return self.accurate_port + 1

    @property
    def worker(self) -> Process:
        return self.workers[0]

    @worker.setter
    def worker(self, process: Process) -> None:
        self.workers[0] = process

    @property
    def processes(self) -> Mapping[str, Process]:
        """All but Redis, in the order in which they start. They stop in the reverse order."""
        workers = {f"worker {number}": worker for number, worker in enumerate(self.workers, start=1)}
        return {"fast model": self.fast, "accurate model": self.accurate, **workers, "proxy": self.proxy}

    async def start(self) -> None:
        await self.redis.start()
        for process in self.processes.values():
            process.start()
        await self.wait_until_up()

    async def wait_until_up(self) -> None:
        """Return when the proxy reports both models as healthy. Raise `ProcessEnded` if a process ends first."""

        async def is_up() -> bool:
            for process in self.processes.values():
                process.check_running()
            return await self.is_up()

        await wait_until(is_up, within=STARTUP_TIMEOUT_S)

    async def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError, ValueError):
            async with self.client() as client:
                return set((await client.get("/health/all")).json().values()) == {"ok"}
        return False

    async def wait_until_idle(self) -> None:
        """Return when the backlog is empty and no worker holds a job."""
        async with self.redis.client() as redis:
            store = JobStore(redis)

            async def is_idle() -> bool:
                return await store.backlog_length() == 0

            await wait_until(is_idle, within=IDLE_TIMEOUT_S)

    def client(self, timeout: float = 60) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=timeout, trust_env=False)

    def stop(self) -> None:
        for process in reversed([*self.processes.values()]):
            process.stop()
        self.redis.stop()
        self._reservation.close()

    def _local_settings(self, first_port: int) -> LocalSettings:
        [port] = free_ports(first_port)
        return LocalSettings(
            port=port, redis_port=port + 1, fast_model_port=port + 10, accurate_model_port=port + 20,
            models_dir=self.models, data_dir=self.directory, redis_maxmemory=self.redis_maxmemory,
            model_server_flags=self.model_server_flags, fast_model=FAST_MODEL, accurate_model=ACCURATE_MODEL,
        )  # fmt: skip

    def _with_priority(self, command: Sequence[str]) -> Sequence[str]:
        return command if self.has_priorities else command[command.index(PYTHON) :]


def _reserve_ports() -> socket.socket:
    """Bind one of `FIRST_PORTS`. While it is bound, no other stack on this machine uses the ports that follow it."""
    for port in SystemRandom().sample(FIRST_PORTS, len(FIRST_PORTS)):
        reservation = socket.socket()
        try:
            reservation.bind((HOST, port))
        except OSError:
            reservation.close()
        else:
            return reservation
    raise NoFreePort("every port range of the harness is reserved")
