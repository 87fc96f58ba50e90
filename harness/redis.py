"""A real Redis that a test may stop, start, fill and kill."""

import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from deploy.local import redis_server
from harness.processes import free_port, stop
from harness.waiting import wait_until
from job_store import connect


@dataclass
class RedisServer:
    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start it on what its append-only file holds, and return once it answers."""
        command = redis_server.command(redis_server.find(), port=self.port, directory=self.directory)
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        await wait_until(self.is_up)

    def is_up(self) -> bool:
        with Redis(port=self.port) as client:
            try:
                return bool(client.ping())
            except RedisConnectionError:
                return False

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process:
            stop(self.process)

    def client(self) -> AsyncRedis:
        return connect(self.url, name="test", timeout=timedelta(seconds=5))
