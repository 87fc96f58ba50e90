"""One process at a time holds the lock on a file."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from file_lock import file_lock, hold_until_exit
from harness.process import ROOT


def test_a_second_holder_waits_until_the_first_releases_the_lock(tmp_path: Path) -> None:
    order: list[str] = []
    second_waits = threading.Event()

    def hold_second() -> None:
        with file_lock(tmp_path / "lock", waiting=second_waits.set):
            order.append("second")

    thread = threading.Thread(target=hold_second)
    with file_lock(tmp_path / "lock", waiting=pytest.fail):
        thread.start()
        assert second_waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_lock_held_until_exit_survives_exec_and_is_free_after_the_process_ends(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    program = (
        "import os, sys; from pathlib import Path; from file_lock import hold_until_exit;"
        "hold_until_exit(Path(sys.argv[1])); os.execlp('sh', 'sh', '-c', 'echo ready; read line')"
    )
    command = [sys.executable, "-c", program, str(lock)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(BlockingIOError):
            hold_until_exit(lock)
        process.communicate("\n")
    with file_lock(lock, waiting=pytest.fail):
        pass
