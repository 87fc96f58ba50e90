"""A process that makes the machine as busy as an attack did, with ordinary requests and computations, until SIGTERM.

`python -m tests.attack.harmless_load PORT PROXY LOOP REST PID…` requests `GET /health` until the main thread of the
process PROXY uses LOOP processors, and computes until the rest of PROXY, this process and the processes PID use REST.
"""

import asyncio
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from background_task import background_task
from tests.attack.attack import Target, request
from tests.attack.attacker import STARTED
from tests.attack.processor_time import cpu_s, main_thread_cpu_s

CHECK_S: Final = 0.02
BURST: Final = 4
"""Requests between two checks of a connection."""
CONNECTIONS: Final = 4
MAX_DEBT_S: Final = 1.0
"""How much missed processor time is made up for, where the machine was too busy."""


@dataclass(slots=True)
class Share:
    """Whether a part of the machine has used less than its share of a processor so far."""

    processors: float
    used_s: float
    checked: float
    debt_s: float = 0.0

    def is_due(self, used_s: float) -> bool:
        now = time.monotonic()
        self.debt_s += (now - self.checked) * self.processors - (used_s - self.used_s)
        self.debt_s = min(self.debt_s, MAX_DEBT_S)
        self.checked, self.used_s = now, used_s
        return self.debt_s > 0


async def request_health(target: Target, proxy: int, processors: float) -> None:
    share = Share(processors, main_thread_cpu_s(proxy), time.monotonic())

    async def client() -> None:
        reader, writer = await target.connect()
        while True:
            if share.is_due(main_thread_cpu_s(proxy)):
                for _ in range(BURST):
                    writer.write(request(b"GET", b"/health"))
                    await reader.readuntil(b"}")
            else:
                await asyncio.sleep(CHECK_S)

    async def keep_connected() -> None:
        while True:
            try:
                await client()
            except (OSError, asyncio.IncompleteReadError):  # an idle connection was closed
                await asyncio.sleep(CHECK_S)

    await asyncio.gather(*(keep_connected() for _ in range(CONNECTIONS)))


def compute(pids: Sequence[int], proxy: int, processors: float, processes: int) -> None:
    """Compute in one of `processes` processes, as long as the one that started it runs."""
    parent = os.getppid()

    def used_s() -> float:
        return (cpu_s([*pids, parent, proxy]) - main_thread_cpu_s(proxy)) / processes + time.process_time()

    share = Share(processors / processes, used_s(), time.monotonic())
    while os.getppid() == parent:
        if share.is_due(used_s()):
            sum(range(100_000))
        else:
            time.sleep(CHECK_S)


async def run(target: Target, proxy: int, processors: float) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with background_task(request_health(target, proxy, processors)):
        print(STARTED, flush=True)
        await stopping.wait()


def main() -> None:
    port, proxy = map(int, sys.argv[1:3])
    loop, rest = map(float, sys.argv[3:5])
    pids = [*map(int, sys.argv[5:])]
    count = min(multiprocessing.cpu_count(), math.ceil(rest))
    processes = [
        multiprocessing.get_context("fork").Process(target=compute, args=(pids, proxy, rest, count))
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    asyncio.run(run(Target(port), proxy, loop))
    for process in processes:
        process.kill()


if __name__ == "__main__":
    main()
