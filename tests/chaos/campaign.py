"""Injects one fault repeatedly under load and audits the accepted jobs."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from harness.waiting import wait_until
from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.fault import Fault
from tests.chaos.job_audit import AuditResult, JobAudit
from tests.chaos.traffic import Load, Sample, Tally, Traffic

MAX_GROWTH_MB: Final = 30.0
"""More than a process grows in its first seconds under load, less than a leak adds up to in twenty injections."""
MODEL_RESTART_S: Final = 10.0
"""For a killed model server to restart and answer the jobs that waited for it."""
MIN_ACCEPTED: Final = 5
"""Jobs accepted in a round before the fault is injected."""
CLIENT_TIMEOUT_S: Final = 15.0
NO_TIMEOUT_S: Final = 3600.0
"""For waits inside another timeout."""


@dataclass(slots=True)
class CampaignResult:
    fault: str
    injected: int = 0
    accepted: int = 0
    audit: AuditResult = field(default_factory=AuditResult)
    recovery_s: list[float] = field(default_factory=list)
    other_violations: list[str] = field(default_factory=list)
    """Violations that the audit does not find."""
    other_responses: Counter[str] = field(default_factory=Counter)
    """Counts the responses to posts that returned no job id."""
    job_durations: list[tuple[float, float]] = field(default_factory=list)
    """For each poison: seconds until its job ended, and until the slowest other job did."""
    duration_s: float = 0.0

    @property
    def violations(self) -> list[str]:
        return [*self.audit.violations, *self.other_violations]

    @property
    def median_recovery_s(self) -> float:
        return median(self.recovery_s)

    @property
    def max_recovery_s(self) -> float:
        return max(self.recovery_s)


class FaultCampaign:
    def __init__(self, stack: ChaosStack, fault: Fault, load: Load) -> None:
        self._stack = stack
        self._fault = fault
        self._load = load
        self._result = CampaignResult(fault.name)

    async def run(self, times: int) -> CampaignResult:
        """Inject the fault `times` times, letting all jobs end after each, then audit them."""
        result, started = self._result, time.monotonic()
        async with self._stack.client(timeout=CLIENT_TIMEOUT_S) as client:
            traffic = Traffic(client, self._load.samples)
            audit = JobAudit(self._stack.store, traffic.tally)
            async with audit.observation():
                sizes: Mapping[str, tuple[int, float]] = {}
                for _ in range(times):
                    await self._round(traffic, audit)
                    sizes = sizes or await self._sizes()
                result.audit = await audit.result()
            result.other_violations += growth_violations(sizes, await self._sizes())
            self._count_responses(traffic.tally)
        result.duration_s = time.monotonic() - started
        return result

    async def _round(self, traffic: Traffic, audit: JobAudit) -> None:
        result, before = self._result, len(traffic.tally.accepted)
        await self._stack.wait_until_up()
        async with traffic.closed_loop(self._load):
            await wait_until(lambda: len(traffic.tally.accepted) >= before + MIN_ACCEPTED)
            try:
                await self._inject(traffic)
                result.injected += 1
            except* (TimeoutError, AssertionError) as error:
                result.other_violations += [f"the injection failed: {cause!r}" for cause in error.exceptions]
                for link in [*self._stack.redis_links, *self._stack.model_links]:
                    link.restore()
            await self._measure_recovery(traffic, audit)
        if not await audit.settle():
            result.other_violations.append("jobs did not end, or the backlog did not become empty")
        elif self._fault.poison:
            await self._compare_durations(list(traffic.tally.accepted)[before:])
        for name, process in self._stack.processes.items():
            if not process.is_running:
                result.other_violations.append(f"{name} exited")

    async def _inject(self, traffic: Traffic) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._fault.inject(self._stack))
            if self._fault.poison:
                poison = Sample(self._fault.poison, expected_label=None)
                group.create_task(wait_until(lambda: traffic.post(poison)))  # until it is accepted and not shed

    async def _measure_recovery(self, traffic: Traffic, audit: JobAudit) -> None:
        """Wait until a new job and all jobs accepted before it have ended."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._fault.recovery_timeout_s):
                before = list(traffic.tally.accepted)
                job_id = await wait_until(traffic.post, within=NO_TIMEOUT_S)
                await wait_until(lambda: all(map(audit.has_ended, [job_id, *before])), within=NO_TIMEOUT_S)
        except TimeoutError:
            self._result.other_violations.append(f"no recovery within {self._fault.recovery_timeout_s} s")
        self._result.recovery_s.append(time.monotonic() - started)

    async def _compare_durations(self, job_ids: Sequence[str]) -> None:
        """Other jobs may take as long as all attempts of the poison and one more restart of the model server."""
        jobs = [job for job in [await self._stack.store.find(job_id) for job_id in job_ids] if job]
        durations = {job.id: ((job.completed_at or job.created_at) - job.created_at).total_seconds() for job in jobs}
        poison = max(durations[job.id] for job in jobs if job.output is None)
        others = max(durations[job.id] for job in jobs if job.output is not None)
        self._result.job_durations.append((poison, others))
        if others > poison + MODEL_RESTART_S:
            self._result.other_violations.append(f"a job took {others:.1f} s, the poison only {poison:.1f} s")

    def _count_responses(self, tally: Tally) -> None:
        result = self._result
        result.accepted = len(tally.accepted)
        result.other_violations += [f"undocumented response: {response}" for response in tally.undocumented]
        result.other_responses = tally.shed + Counter({str(status): count for status, count in tally.refused.items()})
        result.other_responses["no response"] = tally.unanswered

    async def _sizes(self) -> Mapping[str, tuple[int, float]]:
        """Process id and resident MB by name. A process that is still loading would seem to grow later."""
        await self._stack.wait_until_up()
        return {name: (process.pid, process.resident_mb()) for name, process in self._stack.processes.items()}


def growth_violations(before: Mapping[str, tuple[int, float]], after: Mapping[str, tuple[int, float]]) -> list[str]:
    """Compare the processes that were not restarted in between."""
    return [
        f"{name} grew from {before[name][1]:.0f} to {size:.0f} MB"
        for name, (pid, size) in after.items()
        if name in before and before[name][0] == pid and size - before[name][1] > MAX_GROWTH_MB
    ]
