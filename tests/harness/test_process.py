import os
import signal
import sys
from pathlib import Path

import pytest

from harness.process import PYTHON, Process, ProcessEnded
from harness.waiting import WaitTimeout, wait_until

PRINT_AND_SLEEP = "import os, time; print('level', os.environ['LEVEL'], flush=True); time.sleep(60)"


def sleeper(log: Path) -> Process:
    return Process([PYTHON, "-c", PRINT_AND_SLEEP], {"LEVEL": "1"}, log)


async def test_a_suspended_process_can_be_stopped(tmp_path: Path) -> None:
    with sleeper(tmp_path / "log") as process:
        await wait_until(lambda: process.logged("level"))
        process.send(signal.SIGSTOP)
        assert process.stop() == -signal.SIGTERM
        assert not process.is_running


async def test_a_variant_has_the_same_command_and_its_own_settings(tmp_path: Path) -> None:
    process = sleeper(tmp_path / "log")
    with process.variant(tmp_path / "variant", LEVEL="2") as variant:
        await wait_until(lambda: variant.logged("level", "2"))
    assert process.stop() == 0, "it was never started"


async def test_a_process_that_has_ended_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Process([PYTHON, "-c", "raise SystemExit('no such model')"], {}, tmp_path / "server") as process:
        await wait_until(lambda: not process.is_running)
        with pytest.raises(ProcessEnded, match=r"server has ended.*no such model"):
            process.check_running()


async def test_memory_includes_that_of_child_processes(tmp_path: Path) -> None:
    parent = f"import subprocess, sys; subprocess.run([{sys.executable!r}, '-c', {PRINT_AND_SLEEP!r}])"
    with Process([PYTHON, "-c", parent], {"LEVEL": "1"}, tmp_path / "log") as process:
        await wait_until(lambda: process.logged("level"))
        [child] = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split())
        status = Path(f"/proc/{process.pid}/status").read_text("ascii")
        own_mb = int(status.partition("VmRSS:")[2].split()[0]) / 1024
        both_mb = process.resident_mb()
        os.kill(child, signal.SIGTERM)
        assert both_mb > own_mb + 1


async def test_a_wait_that_times_out_shows_the_condition_and_its_last_value() -> None:
    with pytest.raises(WaitTimeout, match=r"timed out after 0.05 s waiting for .*len\(\[\]\) > 1.*last value: False"):
        await wait_until(lambda: len([]) > 1, within=0.05)
