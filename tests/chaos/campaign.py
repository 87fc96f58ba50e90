"""One fault, again and again, under load; and what it did to the promise."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from harness.waiting import wait_until
from tests.chaos.fault import Fault
from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.service import Service
from tests.chaos.traffic import Load, Picture, Traffic

GROWTH_MB: Final = 30.0
"""More than what a process takes in its first seconds under load, and less than a leak takes in twenty faults."""
BACK_AFTER_S: Final = 10.0
"""A model server that was killed is back and has what waited behind it."""
ACCEPTED_BEFORE: Final = 5
"""Jobs that have been accepted in this round before the fault comes."""
FOR_EVER_S: Final = 3600.0
"""Another limit holds."""


@dataclass
class Outcome:
    fault: str
    injected: int = 0
    accepted: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    seconds_to_recover: list[float] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Whatever else is not as it was promised."""
    without_an_id: Counter[str] = field(default_factory=Counter)
    """What the other posts got."""

    delays: list[tuple[float, float]] = field(default_factory=list)
    """Seconds from accepted to ended, each time there was poison: of the poison, and of the slowest of the others."""
    took_s: float = 0.0

    @property
    def is_clean(self) -> bool:
        return self.verdict.is_clean and not self.complaints

    @property
    def all_complaints(self) -> list[str]:
        lost = [f"{job_id} has not ended" for job_id in self.verdict.lost]
        return [*lost, *self.verdict.doubled, *self.verdict.wrong, *self.verdict.left_behind, *self.complaints]

    @property
    def recovery(self) -> tuple[float, float]:
        """Median and longest."""
        return median(self.seconds_to_recover), max(self.seconds_to_recover)


class Campaign:
    def __init__(self, service: Service, fault: Fault, load: Load) -> None:
        self._service = service
        self._fault = fault
        self._load = load
        self._outcome = Outcome(fault.name)

    async def wage(self, times: int) -> Outcome:
        """Inject the fault `times` times; after each, wait until all is settled, and look at everything."""
        outcome, began = self._outcome, time.monotonic()
        async with self._service.client() as client:
            traffic = Traffic(client, self._load.pictures)
            ledger = Ledger(self._service.store, traffic.told)
            async with ledger.open():
                sizes: Mapping[str, tuple[int, float]] = {}
                for _ in range(times):
                    await self._round(traffic, ledger)
                    sizes = sizes or await self._sizes()
                outcome.verdict = await ledger.verdict()
            told = traffic.told
            outcome.accepted = len(told.accepted)
            outcome.complaints += [f"a client was told {answer}" for answer in told.undocumented]
            outcome.complaints += growth(sizes, await self._sizes())
            outcome.without_an_id = told.shed + Counter({str(status): count for status, count in told.refused.items()})
            outcome.without_an_id["no answer"] = told.unanswered
        outcome.took_s = time.monotonic() - began
        return outcome

    async def _round(self, traffic: Traffic, ledger: Ledger) -> None:
        outcome, before = self._outcome, len(traffic.told.accepted)
        await self._service.until_up()
        async with traffic.flowing(self._load):
            await wait_until(lambda: len(traffic.told.accepted) >= before + ACCEPTED_BEFORE)
            try:
                await self._inject(traffic)
                outcome.injected += 1
            except* (TimeoutError, AssertionError) as error:
                outcome.complaints += [f"it did not take its course: {why!r}" for why in error.exceptions]
                for link in [*self._service.redis_links, *self._service.model_links]:
                    link.restore()
            over = time.monotonic()
            try:
                async with asyncio.timeout(self._fault.recovers_within_s):
                    await self._recovery(traffic, ledger)
            except TimeoutError:
                outcome.complaints.append(f"it did not recover within {self._fault.recovers_within_s} s")
            outcome.seconds_to_recover.append(time.monotonic() - over)
        if not await ledger.settle():
            outcome.complaints.append("it did not settle")
        elif self._fault.poison:
            await self._weigh_poison(list(traffic.told.accepted)[before:])
        for name, process in self._service.processes.items():
            if not process.is_running:
                outcome.complaints.append(f"{name} has ended by itself")

    async def _inject(self, traffic: Traffic) -> None:
        async with asyncio.TaskGroup() as together:
            together.create_task(self._fault.inject(self._service))
            if self._fault.poison:
                poison = Picture(self._fault.poison, refined=None)
                together.create_task(wait_until(lambda: traffic.post(poison)))  # until it is a job, and not shed

    async def _weigh_poison(self, job_ids: Sequence[str]) -> None:
        """The others may wait for as long as its own attempts take, and until the model is back after them."""
        jobs = [job for job in [await self._service.store.find(job_id) for job_id in job_ids] if job]
        spans = {job.id: (job.completed_at or job.created_at) - job.created_at for job in jobs}
        poison = max(spans[job.id].total_seconds() for job in jobs if job.output is None)
        others = max(spans[job.id].total_seconds() for job in jobs if job.output is not None)
        self._outcome.delays.append((poison, others))
        if others > poison + BACK_AFTER_S:
            self._outcome.complaints.append(f"a job took {others:.1f} s, and the poison beside it {poison:.1f} s")

    @staticmethod
    async def _recovery(traffic: Traffic, ledger: Ledger) -> None:
        """Until a new job has succeeded, and all that were accepted before have ended."""
        before = list(traffic.told.accepted)
        job_id = await wait_until(traffic.post, within=FOR_EVER_S)
        await wait_until(lambda: all(map(ledger.has_ended, [job_id, *before])), within=FOR_EVER_S)

    async def _sizes(self) -> Mapping[str, tuple[int, float]]:
        """Of what is up: a process that was just started has yet to load what it needs, and that is no growth."""
        await self._service.until_up()
        return {name: (process.pid, process.resident_mb()) for name, process in self._service.processes.items()}


def growth(before: Mapping[str, tuple[int, float]], after: Mapping[str, tuple[int, float]]) -> list[str]:
    """What has grown of those that lived through all of it."""
    return [
        f"{name} grew from {before[name][1]:.0f} to {size:.0f} MB"
        for name, (pid, size) in after.items()
        if name in before and before[name][0] == pid and size - before[name][1] > GROWTH_MB
    ]
