"""A worker's wall clock jumps, as it does when someone sets it. Needs libfaketime (Debian's package `faketime`)."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from harness.process import Process
from harness.waiting import wait_until
from tests.chaos.fault import Fault
from tests.chaos.service import Service

LIBRARY: Final = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
JUMPS: Final = [timedelta(hours=1), timedelta(hours=-1), timedelta(0)]
"""From the right time. The monotonic clock never jumps on Linux, so here it does not either."""


async def clock_jumps(service: Service) -> None:
    own = service.victim.process
    await asyncio.to_thread(own.stop)
    clock = service.directory / "clock"
    set_to(clock, timedelta(0))
    jumping = own.variant(service.directory / "jumping", **under(clock))
    jumping.log.unlink(missing_ok=True)
    jumping.start()
    try:
        for jump in JUMPS:
            set_to(clock, jump)
            await wait_until(partial(is_working_at, jumping, jump))
    finally:
        await asyncio.to_thread(jumping.stop)
        starts = own.logged("worker started")
        own.start()
        await wait_until(
            lambda: own.logged("worker started") > starts
        )  # what it weighs before it is loaded says nothing


def set_to(clock: Path, jump: timedelta) -> None:
    unfinished = clock.with_suffix(".new")
    unfinished.write_text(f"{jump.total_seconds():+.0f}\n", "ascii")
    unfinished.rename(clock)


def under(clock: Path) -> Mapping[str, str]:
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def is_working_at(worker: Process, jump: timedelta) -> bool:
    """Whether the last job that it finished was finished at about that time of its own."""
    finished = [line for line in worker.log.read_text("utf-8").splitlines() if "job finished" in line]
    if not finished:
        return False
    at = datetime.fromisoformat(finished[-1].removeprefix("at=").split()[0])
    return abs(at - (datetime.now(UTC) + jump)) < timedelta(minutes=5)


FAULTS: Final = [Fault("worker's clock jumps an hour, both ways", clock_jumps)] if LIBRARY else []
