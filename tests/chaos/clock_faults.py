"""A worker's wall clock jumps. Needs libfaketime (Debian package `faketime`)."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from harness.process import Process
from harness.waiting import wait_until
from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.fault import Fault

LIBRARY: Final = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
OFFSETS: Final = [timedelta(hours=1), timedelta(hours=-1), timedelta(0)]
"""From the real time. The monotonic clock is not changed: on Linux it never jumps."""


async def clock_jumps(stack: ChaosStack) -> None:
    original = stack.target_worker.process
    await asyncio.to_thread(original.stop)
    clock = stack.directory / "clock"
    set_clock(clock, timedelta(0))
    worker = original.variant(stack.directory / "faked-clock", **fake_clock(clock))
    worker.log.unlink(missing_ok=True)
    worker.start()
    try:
        for offset in OFFSETS:
            set_clock(clock, offset)
            await wait_until(partial(has_finished_a_job_at, worker, offset))
    finally:
        await asyncio.to_thread(worker.stop)
        starts = original.logged("worker started")
        original.start()
        await wait_until(lambda: original.logged("worker started") > starts)  # its memory is compared later


def set_clock(clock: Path, offset: timedelta) -> None:
    new = clock.with_suffix(".new")
    new.write_text(f"{offset.total_seconds():+.0f}\n", "ascii")
    new.rename(clock)


def fake_clock(clock: Path) -> Mapping[str, str]:
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",  # otherwise the new offset applies up to a second later
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def has_finished_a_job_at(worker: Process, offset: timedelta) -> bool:
    """Whether the worker's last finished job is logged at about the real time plus `offset`."""
    finished = [line for line in worker.log.read_text("utf-8").splitlines() if "job finished" in line]
    if not finished:
        return False
    logged_at = datetime.fromisoformat(finished[-1].removeprefix("at=").split()[0])
    return abs(logged_at - (datetime.now(UTC) + offset)) < timedelta(minutes=5)


FAULTS: Final = [Fault("worker's clock jumps an hour, both ways", clock_jumps)] if LIBRARY else []
