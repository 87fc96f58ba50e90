import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from harness.memory_cgroup import MemoryCgroup
from harness.process import PYTHON, Process

LIMIT_MB: Final = 64
ALLOCATE: Final = "import sys; b'a' * (int(sys.argv[1]) * 2**20)"


@pytest.fixture
def cgroup() -> Iterator[MemoryCgroup]:
    cgroup = MemoryCgroup.create(LIMIT_MB * 2**20)
    if cgroup is None:
        pytest.skip("this machine allows no memory control groups")
    yield cgroup
    cgroup.remove()


@pytest.mark.parametrize(("allocated_mb", "status"), [(LIMIT_MB // 2, 0), (LIMIT_MB * 2, -signal.SIGKILL)])
def test_a_process_is_killed_when_it_needs_more_than_the_limit(
    cgroup: MemoryCgroup, tmp_path: Path, allocated_mb: int, status: int
) -> None:
    command = cgroup.wrap([PYTHON, "-c", ALLOCATE, str(allocated_mb)])
    process = Process(command, {}, tmp_path / "log")
    process.start()
    assert process.popen
    assert process.popen.wait(20) == status
    peak = cgroup.peak_mb()
    assert peak is None or min(allocated_mb, LIMIT_MB * 0.9) < peak <= LIMIT_MB
