"""Ten times what the slow half can do: what becomes of the fast answers, of the queue and of the memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.waiting import wait_until
from tests.chaos.campaign import GROWTH_MB
from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.pace import Answers, post_at
from tests.chaos.service import LANES, Service, serving
from tests.chaos.small_models import exported
from tests.chaos.traffic import Pictures, Told, Traffic

CAPACITY: Final = 4.0
"""Jobs a second. One job takes this long on its way to the model and back, and there are two workers with two lanes."""
ROUND_TRIP_S: Final = 2 * LANES / CAPACITY
MAX_QUEUE_LENGTH: Final = 16
FULL: Final = "shed; reason=queue-full"
SLACK_MS: Final = 100.0
"""Idle, both medians are a few milliseconds; on a machine that is busy with other things, many more."""
WELL_WITHIN_S: Final = 10.0
SETTINGS: Final = {"BATCH_SIZE": "1", "MAX_QUEUE_LENGTH": str(MAX_QUEUE_LENGTH), "LEASE": "5"}


@dataclass
class Overload:
    at_capacity: Answers
    at_ten_times: Answers
    told: Told
    longest_queue: int
    growth_mb: Mapping[str, float]
    seconds_until_well: float
    verdict: Verdict


async def overload(directory: Path, pictures: Pictures, span_s: float) -> Overload:
    """Post at the slow half's capacity for `span_s`, and at ten times that for as long."""
    async with serving(directory, exported(), SETTINGS) as service, service.client() as client:
        for worker in service.workers:
            worker.to_model.delay_s = ROUND_TRIP_S / 2
        traffic = Traffic(client, pictures)
        ledger = Ledger(service.store, traffic.told)
        async with ledger.open(), watched_queue(service) as lengths:
            at_capacity = await post_at(CAPACITY, traffic, span_s)
            before = sizes(service)
            at_ten_times = await post_at(10 * CAPACITY, traffic, span_s)
            over = time.monotonic()
            growth = {name: size - before[name] for name, size in sizes(service).items()}
            job_id = await wait_until(traffic.post)
            await ledger.settle()
            until_well = time.monotonic() - over
            assert ledger.has_ended(job_id)
            verdict = await ledger.verdict()
        return Overload(at_capacity, at_ten_times, traffic.told, max(lengths), growth, until_well, verdict)


def complaints(seen: Overload) -> Iterator[str]:
    """What overload must not do, and has done."""
    if seen.told.posts != seen.told.shed.total() + len(seen.told.accepted):
        yield f"some got no fast answer: {seen.told.refused}, {seen.told.unanswered}, {seen.told.undocumented[:3]}"
    if not seen.told.shed[FULL]:
        yield f"none was shed because the queue was full: {seen.told.shed}"
    if seen.longest_queue > MAX_QUEUE_LENGTH:
        yield f"the queue grew to {seen.longest_queue}"
    if seen.at_ten_times.median_ms > 2 * seen.at_capacity.median_ms + SLACK_MS:
        yield f"fast answers took {seen.at_ten_times.median_ms:.0f} ms, and {seen.at_capacity.median_ms:.0f} ms before"
    if seen.at_ten_times.p95_ms > 2 * seen.at_capacity.p95_ms + SLACK_MS:
        yield f"1 of 20 took {seen.at_ten_times.p95_ms:.0f} ms or more, and {seen.at_capacity.p95_ms:.0f} ms before"
    if max(seen.growth_mb.values()) > GROWTH_MB:
        yield f"memory grew: {seen.growth_mb}"
    if seen.seconds_until_well > WELL_WITHIN_S:
        yield f"it was not well before {seen.seconds_until_well:.0f} s"
    if not seen.verdict.is_clean:
        yield f"{seen.verdict}"


def describe(seen: Overload) -> str:
    slow, fast = seen.at_capacity, seen.at_ten_times
    growth = ", ".join(f"{name} {size:.0f}" for name, size in seen.growth_mb.items())
    return "; ".join(
        (
            f"fast answers in {fast.median_ms:.0f} ms (95 %: {fast.p95_ms:.0f} ms)",
            f"at capacity in {slow.median_ms:.0f} ms (95 %: {slow.p95_ms:.0f} ms)",
            f"{len(seen.told.accepted)} of {seen.told.posts} accepted and the others shed",
            f"at most {seen.longest_queue} in the queue",
            f"well after {seen.seconds_until_well:.1f} s",
            f"growth in MB: {growth}",
        )
    )


def sizes(service: Service) -> Mapping[str, float]:
    return {name: process.resident_mb() for name, process in service.processes.items()}


@asynccontextmanager
async def watched_queue(service: Service) -> AsyncIterator[list[int]]:
    """The backlog's lengths, ten times a second."""
    lengths: list[int] = []

    async def watch() -> None:
        while True:
            lengths.append(await service.store.backlog_length())
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    try:
        yield lengths
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
