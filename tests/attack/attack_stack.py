"""All processes of the service, with the proxy and the fast model in the memory that Compose allows."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from background_task import background_task
from harness.memory_cgroup import MemoryCgroup
from harness.process import ROOT, Process
from harness.stack import Stack
from harness.waiting import WaitTimeout, wait_until
from tests.chaos.small_models import export_once, image_of

COMPOSE_SERVICES: Final = {"proxy": "proxy", "fast model": "imagenet-mobilenet-v2"}
"""The service in docker-compose.yml by the name of the process."""
MB_PER_UNIT: Final = {"m": 1, "g": 1024}
SAMPLE_S: Final = 0.1
CALM_TIMEOUT_S: Final = 10.0
TMP_MB: Final = 64
"""Of /tmp in Compose."""


def memory_limit_mb(service: str) -> int:
    """The `mem_limit` in docker-compose.yml, or its default where it can be set."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    section = re.search(rf"^  {service}:\n(?:    .*\n|\n)+", text, re.M)
    limit = section and re.search(r"^    mem_limit: (?:\$\{\w+:-)?(\d+)([mg])", section[0], re.M)
    assert limit, f"docker-compose.yml has no mem_limit for {service}"
    return int(limit[1]) * MB_PER_UNIT[limit[2]]


@dataclass(slots=True)
class MemoryLimit:
    """Of one process: in a control group where this machine allows it, and otherwise of its resident memory."""

    process: Process
    limit_mb: int
    _command: list[str] = field(init=False)
    _cgroup: MemoryCgroup | None = field(init=False, default=None)
    _max_resident_mb: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._command = [*self.process.command]
        self.reset()

    def reset(self) -> None:
        """Forget the peak. The process must not be running."""
        self.remove()
        self._max_resident_mb = 0.0
        self._cgroup = MemoryCgroup.create(self.limit_mb * 2**20)
        self.process.command = self._cgroup.wrap(self._command) if self._cgroup else self._command

    def sample(self) -> None:
        if self.process.is_running:
            try:
                self._max_resident_mb = max(self._max_resident_mb, self.process.resident_mb())
            except (OSError, StopIteration):  # it has just ended
                return

    @property
    def is_enforced(self) -> bool:
        return self._cgroup is not None

    @property
    def peak_mb(self) -> float:
        peak = self._cgroup.peak_mb() if self._cgroup else None
        return self._max_resident_mb if peak is None else peak

    def remove(self) -> None:
        if self._cgroup:
            self._cgroup.remove()
            self._cgroup = None


@dataclass
class AttackStack(Stack):
    memory: Mapping[str, MemoryLimit] = field(init=False)
    """Of the proxy and the fast model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.memory = {
            name: MemoryLimit(self.processes[name], memory_limit_mb(service))
            for name, service in COMPOSE_SERVICES.items()
        }

    async def sample_memory(self) -> None:
        while True:
            for limit in self.memory.values():
                limit.sample()
            await asyncio.sleep(SAMPLE_S)

    async def is_calm(self) -> bool:
        """Return False if something has ended, or is still busy after a while."""
        if not all(process.is_running for process in self.processes.values()):
            return False
        try:
            async with self.client() as client:
                await wait_until(lambda: self._is_answered(client), within=CALM_TIMEOUT_S)
        except WaitTimeout:
            return False
        return True

    @staticmethod
    async def _is_answered(client: httpx.AsyncClient) -> bool:
        response = await client.post("/predict", content=image_of(0), headers={"content-type": "image/png"})
        return response.status_code == 200 and "refinement" not in response.headers

    async def restart(self) -> None:
        """Restart the proxy and the fast model, with empty memory, and whatever else has ended."""
        for limit in self.memory.values():
            await asyncio.to_thread(limit.process.stop)
            limit.reset()
        for process in self.processes.values():
            if not process.is_running:
                process.start()
        await self.wait_until_up()

    def stop(self) -> None:
        super().stop()
        for limit in self.memory.values():
            limit.remove()


@asynccontextmanager
async def attack_stack(directory: Path, settings: Mapping[str, str] | None = None) -> AsyncIterator[AttackStack]:
    with small_tmp(directory / "tmp") as tmp:
        environment = {"TMPDIR": str(tmp), "SHUTDOWN_GRACE": "1", **(settings or {})}
        stack = AttackStack(directory / "stack", export_once(), environment)
        try:
            await stack.start()
            async with background_task(stack.sample_memory()):
                yield stack
        finally:
            await asyncio.to_thread(stack.stop)


@contextmanager
def small_tmp(directory: Path) -> Iterator[Path]:
    """A directory for temporary files. As root, it is as small as in Compose."""
    directory.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMP_MB}m", "attack", str(directory)]
    is_mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield directory
    finally:
        if is_mounted:
            subprocess.run(["umount", str(directory)], check=True)
