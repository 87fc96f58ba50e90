"""Posts at ten times the accurate model's capacity and measures fast answers, queue length and memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from background_task import background_task
from harness.waiting import wait_until
from tests.chaos.campaign import MAX_GROWTH_MB
from tests.chaos.chaos_stack import BATCHES_IN_FLIGHT, ChaosStack, chaos_stack
from tests.chaos.job_audit import AuditResult, JobAudit
from tests.chaos.open_loop import Latencies, post_at_rate
from tests.chaos.small_models import export_once
from tests.chaos.traffic import Samples, Tally, Traffic

CAPACITY: Final = 4.0
"""Jobs a second."""
ROUND_TRIP_S: Final = 2 * BATCHES_IN_FLIGHT / CAPACITY
"""To the accurate model. Two workers with `BATCHES_IN_FLIGHT` batches of one job each then reach `CAPACITY`."""
MAX_QUEUE_LENGTH: Final = 16
QUEUE_FULL: Final = "shed; reason=queue-full"
LATENCY_TOLERANCE_MS: Final = 100.0
"""Latencies are a few milliseconds on an idle machine, and many more on a busy one."""
RECOVERY_TIMEOUT_S: Final = 10.0
SETTINGS: Final = {"BATCH_SIZE": "1", "MAX_QUEUE_LENGTH": str(MAX_QUEUE_LENGTH), "LEASE": "5"}


@dataclass(frozen=True, slots=True)
class OverloadResult:
    at_capacity: Latencies
    overloaded: Latencies
    tally: Tally
    max_queue_length: int
    growth_mb: Mapping[str, float]
    recovery_s: float
    audit: AuditResult

    def violations(self) -> Iterator[str]:
        tally, normal, overloaded = self.tally, self.at_capacity, self.overloaded
        if tally.posts != tally.shed.total() + len(tally.accepted):
            yield f"posts without a fast answer: {tally.refused}, {tally.unanswered}, {tally.undocumented[:3]}"
        if not tally.shed[QUEUE_FULL]:
            yield f"no job was shed because the queue was full: {tally.shed}"
        if self.max_queue_length > MAX_QUEUE_LENGTH:
            yield f"the queue grew to {self.max_queue_length} jobs"
        if overloaded.median_ms > 2 * normal.median_ms + LATENCY_TOLERANCE_MS:
            yield f"fast answers took {overloaded.median_ms:.0f} ms (at capacity: {normal.median_ms:.0f} ms)"
        if overloaded.p95_ms > 2 * normal.p95_ms + LATENCY_TOLERANCE_MS:
            yield f"95 % of fast answers took {overloaded.p95_ms:.0f} ms (at capacity: {normal.p95_ms:.0f} ms)"
        if max(self.growth_mb.values()) > MAX_GROWTH_MB:
            yield f"memory grew: {self.growth_mb}"
        if self.recovery_s > RECOVERY_TIMEOUT_S:
            yield f"recovery took {self.recovery_s:.0f} s"
        yield from self.audit.violations

    def __str__(self) -> str:
        normal, overloaded = self.at_capacity, self.overloaded
        growth = ", ".join(f"{name} {size:.0f}" for name, size in self.growth_mb.items())
        return "; ".join(
            (
                f"fast answers in {overloaded.median_ms:.0f} ms (95 %: {overloaded.p95_ms:.0f} ms)",
                f"at capacity in {normal.median_ms:.0f} ms (95 %: {normal.p95_ms:.0f} ms)",
                f"{len(self.tally.accepted)} of {self.tally.posts} accepted and the others shed",
                f"at most {self.max_queue_length} in the queue",
                f"recovered after {self.recovery_s:.1f} s",
                f"growth in MB: {growth}",
            )
        )


async def overload(directory: Path, samples: Samples, duration_s: float) -> OverloadResult:
    """Post at the accurate model's capacity for `duration_s`, then at ten times that for as long."""
    async with chaos_stack(directory, export_once(), SETTINGS) as stack, stack.client() as client:
        for worker in stack.linked_workers:
            worker.model_link.delay_s = ROUND_TRIP_S / 2
        traffic = Traffic(client, samples)
        audit = JobAudit(stack.store, traffic.tally)
        async with audit.observation(), queue_lengths(stack) as lengths:
            at_capacity = await post_at_rate(CAPACITY, traffic, duration_s)
            before = memory_mb(stack)
            overloaded = await post_at_rate(10 * CAPACITY, traffic, duration_s)
            stopped = time.monotonic()
            growth = {name: size - before[name] for name, size in memory_mb(stack).items()}
            job_id = await wait_until(traffic.post)
            await audit.settle()
            recovery_s = time.monotonic() - stopped
            assert audit.has_ended(job_id)
            result = await audit.result()
        return OverloadResult(at_capacity, overloaded, traffic.tally, max(lengths), growth, recovery_s, result)


def memory_mb(stack: ChaosStack) -> Mapping[str, float]:
    return {name: process.resident_mb() for name, process in stack.processes.items()}


@asynccontextmanager
async def queue_lengths(stack: ChaosStack) -> AsyncIterator[list[int]]:
    """A list to which the backlog's length is appended ten times a second."""
    lengths: list[int] = []

    async def sample() -> None:
        while True:
            lengths.append(await stack.store.backlog_length())
            await asyncio.sleep(0.1)

    async with background_task(sample()):
        yield lengths
