"""One process that a test or a benchmark starts, signals, inspects and stops."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parent.parent
PYTHON: Final = sys.executable
STOP_TIMEOUT_S: Final = 25.0
"""Between SIGTERM and SIGKILL. A worker takes up to `SHUTDOWN_GRACE` to finish its batches."""


class ProcessEnded(AssertionError):
    """A process that should be running has ended."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Process:
    """Can be started again after it has ended. As a context manager it starts on entry and stops on exit."""

    command: Sequence[str]
    environment: Mapping[str, str]
    """Added to the environment of this process."""
    log: Path
    """Standard output and standard error are appended to this file."""
    popen: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def configure(self, **settings: str) -> None:
        """Override settings; they apply from the next start on."""
        self.environment = {**self.environment, **settings}

    def variant(self, log: Path, **settings: str) -> "Process":
        """Return a process, not yet started, with the same command, its own log and these settings overridden."""
        return Process(self.command, {**self.environment, **settings}, log)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command, cwd=ROOT, env={**os.environ, **self.environment}, stdout=output, stderr=output,
                start_new_session=True,  # Ctrl-C reaches only the harness, which then stops its processes in order
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self.popen, "the process was never started"
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def check_running(self) -> None:
        """Raise `ProcessEnded` with the end of the log if the process is not running."""
        if not self.is_running:
            raise ProcessEnded(f"{self.log.name} has ended; its log ends with: {self.log_tail()}")

    def send(self, number: signal.Signals) -> None:
        assert self.popen, "the process was never started"
        self.popen.send_signal(number)

    def kill(self) -> None:
        assert self.popen, "the process was never started"
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> int:
        """Send SIGTERM, and SIGKILL after `STOP_TIMEOUT_S`. Return the exit status; 0 if it was never started."""
        if self.popen is None:
            return 0
        if self.is_running:
            self.send(signal.SIGTERM)
            self.send(signal.SIGCONT)  # a process that a failed test left suspended would not handle SIGTERM
        try:
            return self.popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.returncode

    def logged(self, *words: str) -> int:
        """Count the log lines that contain all of `words`."""
        return sum(all(word in line for word in words) for line in self.log.read_text("utf-8").splitlines())

    def log_tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-1000:]

    def resident_mb(self) -> float:
        """Resident memory of this process and its children (VmRSS), in MB of 2**20 bytes."""
        pids = [self.pid]
        for pid in pids:
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())
        return sum(map(_resident_kb, pids)) / 1024


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
