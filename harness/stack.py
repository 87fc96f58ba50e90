"""The whole path in real processes, each of which a test may kill and start again."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from harness.processes import PYTHON, ROOT, free_port, stop
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStore


@dataclass
class Process:
    """A process that can be ended and started again with the same command."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(
                self.command, cwd=ROOT, env={**os.environ, **self.environment}, stdout=output, stderr=output
            )

    @property
    def pid(self) -> int:
        assert self.running
        return self.running.pid

    def kill(self) -> None:
        assert self.running
        self.running.kill()
        self.running.wait()

    def send(self, number: signal.Signals) -> None:
        assert self.running
        self.running.send_signal(number)

    def stop(self) -> int:
        return stop(self.running) if self.running else 0

    def logged(self, *words: str) -> int:
        """How many lines of its log hold all of `words`."""
        return sum(all(word in line for word in words) for line in self.log.read_text("utf-8").splitlines())

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return int(kilobytes) / 1024


def model_server(name: str, base_path: Path, log: Path) -> tuple[Process, int, int]:
    """A model server with its gRPC and REST ports."""
    port, rest_port = free_port(), free_port()
    flags = {"host": "127.0.0.1", "port": port, "rest_api_port": rest_port, "model_name": name}
    flags["model_base_path"] = str(base_path / name)
    command = [PYTHON, "-m", "local_tf_serving", *(f"--{flag}={value}" for flag, value in flags.items())]
    return Process(command, {}, log), port, rest_port


@dataclass
class Stack:
    directory: Path
    models: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        log = self.directory / "log"
        log.mkdir(parents=True)
        (self.directory / "redis").mkdir()
        self.redis = RedisServer(self.directory / "redis")
        self.fast, fast_port, self.fast_rest_port = model_server("mobilenet_v2", self.models, log / "fast")
        self.accurate, self.accurate_port, _ = model_server("inception_v3", self.models, log / "accurate")
        self.port = free_port()
        self.settings = {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "REDIS_URL": self.redis.url,
            "FAST_MODEL_ADDRESS": f"127.0.0.1:{fast_port}",
            "ACCURATE_MODEL_ADDRESS": f"127.0.0.1:{self.accurate_port}",
            **self.environment,
        }
        self.proxy = Process([PYTHON, "-m", "proxy"], self.settings, log / "proxy")
        self.backend = Process([PYTHON, "-m", "backend"], self.settings, log / "backend")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def processes(self) -> Sequence[Process]:
        return [self.proxy, self.backend, self.accurate, self.fast]

    async def start(self) -> None:
        await self.redis.start()
        for process in self.processes:
            process.start()
        await self.until_up()

    async def until_up(self) -> None:
        await wait_until(self.is_up, within=90)

    async def until_idle(self) -> None:
        """Return when no job waits and none is worked on."""
        async with self.redis.client() as redis:
            store = JobStore(redis)

            async def is_idle() -> bool:
                return await store.backlog_length() == 0

            await wait_until(is_idle, within=90)

    async def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError, ValueError):
            async with self.client() as client:
                return set((await client.get("/health/all")).json().values()) == {"ok"}
        return False

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False)

    def stop(self) -> None:
        for process in self.processes:
            process.stop()
        self.redis.stop()
