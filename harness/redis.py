"""A real Redis that a test can stop, restart, suspend, fill and kill."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from deploy.local import redis_server
from harness.process import Process, free_port
from harness.waiting import wait_until
from job_store import connect


def redis_url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


@dataclass(slots=True)
class RedisServer:
    directory: Path
    port: int = field(default_factory=free_port)
    command: Sequence[str] | None = None
    """None: redis-server with the options of `make run`."""
    process: Process | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return redis_url(self.port)

    async def start(self) -> None:
        """Start Redis on the append-only file in its directory; return when it responds."""
        command = redis_server.command(redis_server.find(), port=self.port, directory=self.directory)
        process = self.process = Process(self.command or command, {}, self.directory / "log")
        process.start()

        def is_up() -> bool:
            process.check_running()
            return self.is_up()

        await wait_until(is_up)

    def is_up(self) -> bool:
        with Redis(port=self.port) as client:
            try:
                return bool(client.ping())
            except RedisConnectionError:
                return False

    def send(self, number: signal.Signals) -> None:
        assert self.process, "Redis was never started"
        self.process.send(number)

    def kill(self) -> None:
        assert self.process, "Redis was never started"
        self.process.kill()

    def stop(self) -> None:
        if self.process:
            self.process.stop()

    def client(self) -> AsyncRedis:
        return connect(self.url, name="test", timeout=timedelta(seconds=5))
