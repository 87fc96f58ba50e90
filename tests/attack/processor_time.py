"""Seconds of processor time that processes have used, from /proc."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: Sequence[int]) -> float:
    """Of these processes, with all their threads. A process that has ended counts as 0."""
    return sum(_cpu_s(Path(f"/proc/{pid}/stat")) for pid in pids)


def main_thread_cpu_s(pid: int) -> float:
    """Of the thread that runs the event loop."""
    return _cpu_s(Path(f"/proc/{pid}/task/{pid}/stat"))


def _cpu_s(stat: Path) -> float:
    try:
        fields = stat.read_text("ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S
