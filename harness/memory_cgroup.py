"""Limits the memory of a process as a container does, with a control group."""

import contextlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/sys/fs/cgroup")
CONTROL_FILE: Final = "cgroup.procs"
ENTER: Final = 'echo $$ >"$0" && exec "$@"'
"""For `sh -c`: joins a control group, then becomes the command, so that all its memory is counted."""


@dataclass(frozen=True, slots=True)
class _Version:
    """The names of files in one version of the kernel's interface."""

    root: Path
    limit: str
    peak: str


VERSIONS: Final = (
    _Version(MOUNTS, "memory.max", "memory.peak"),
    _Version(MOUNTS / "memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class MemoryCgroup:
    """A new control group. The kernel kills its processes when they need more than the limit."""

    directory: Path
    version: _Version = field(repr=False)

    @classmethod
    def create(cls, limit_bytes: int) -> "MemoryCgroup | None":
        """Return None where this machine does not allow it: without root, or without the memory controller."""
        for version in VERSIONS:
            if not (version.root / CONTROL_FILE).exists():
                continue  # version 1 mounts a plain directory there
            directory = version.root / f"harness-{uuid.uuid4().hex[:12]}"
            with contextlib.suppress(OSError):
                directory.mkdir()
                try:
                    (directory / version.limit).write_text(str(limit_bytes))
                    return cls(directory, version)
                except OSError:
                    directory.rmdir()
        return None

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        """Return a command that runs `command` in this group."""
        return ["sh", "-c", ENTER, str(self.directory / CONTROL_FILE), *command]

    def peak_mb(self) -> float | None:
        """The largest use so far, with the page cache, in MB of 2**20 bytes. None before Linux 5.19 with version 2."""
        try:
            return int((self.directory / self.version.peak).read_text("ascii")) / 2**20
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """Remove the group. Its processes must have ended."""
        os.rmdir(self.directory)
