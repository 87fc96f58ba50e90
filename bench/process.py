"""A process that the harness starts, looks at and ends, by its own id."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from service_settings import ROOT

PATIENCE_S: Final = 25.0
"""Between SIGTERM and SIGKILL: a worker may take `SHUTDOWN_GRACE` for what is in its hands."""


class Process:
    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            # A session of its own: a Ctrl-C is the harness's to hear, and it ends this process when it has heard it.
            self._running = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def is_running(self) -> bool:
        return self._running.poll() is None

    def last_words(self) -> str:
        return self.log.read_text("utf-8", "replace")[-1000:]

    def resident_mb(self) -> float:
        """Of this process and its children, as Linux counts it (VmRSS), in MB of 2**20 bytes."""
        pids = [self.pid]
        for pid in pids:
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())
        return sum(map(_resident_kb, pids)) / 1024

    def stop(self) -> None:
        if not self.is_running:
            return
        self._running.send_signal(signal.SIGTERM)
        try:
            self._running.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
