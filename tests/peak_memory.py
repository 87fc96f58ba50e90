import re
from pathlib import Path


class PeakMemory:
    """The growth of a process's resident memory since this object was created. Linux only."""

    def __init__(self, pid: int | str) -> None:
        self._directory = Path("/proc", str(pid))
        (self._directory / "clear_refs").write_text("5")  # resets the peak
        self._start = self._peak()

    def growth(self) -> int:
        """Return bytes."""
        return self._peak() - self._start

    def _peak(self) -> int:
        found = re.search(r"VmHWM:\s+(\d+) kB", (self._directory / "status").read_text("ascii"))
        assert found
        return int(found[1]) * 1024
