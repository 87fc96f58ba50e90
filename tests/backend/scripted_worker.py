"""A worker's parts around a scripted model. The store is real."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from redis.asyncio import Redis

from backend.batch import Batch, BatchContext
from backend.retrier import Retrier
from backend.worker import Worker
from harness.waiting import wait_until
from job_store import BacklogListener, Claim, Job, JobStatus, JobStore, Policy
from tf_serving_client import ModelError, Prediction

Script = Callable[[Sequence[bytes]], None]
"""Called with the payloads of each Predict. The Predict fails if it raises, and succeeds if it returns."""


class ScriptedModel:
    def __init__(self, script: Script) -> None:
        self.model, self.deadline, self.script = "m", timedelta(seconds=0.05), script
        self.calls: list[list[bytes]] = []

    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        self.calls.append(list(payloads))
        self.script(payloads)
        return [Prediction(self.model, 1, ((payload.decode(), 1.0),)) for payload in payloads]


class ScriptedStatus:
    """Reports the model as unavailable for the next `failures` calls."""

    model = "m"

    def __init__(self) -> None:
        self.failures = 0

    async def is_available(self) -> bool:
        self.failures -= 1
        return self.failures < 0


class ScriptedCheck:
    """Holds the worker back while `problem` is set."""

    problem: ModelError | None = None

    async def wait_until_fits(self) -> None:
        await wait_until(lambda: self.problem is None)


class ScriptedWorker:
    """A worker's parts around a scripted model."""

    def __init__(self, redis: Redis, script: Script) -> None:
        self.store = JobStore(redis, Policy(max_attempts=3))
        self.listener = BacklogListener(redis, self.store.keys, timedelta(seconds=0.05))
        self.model, self.status, self.check = ScriptedModel(script), ScriptedStatus(), ScriptedCheck()
        self.stopping = asyncio.Event()
        self.context = BatchContext(self.store, self.model, self.status, Retrier(self.stopping), self.check)

    async def claim_jobs(self, *payloads: bytes, attempt: int = 1) -> list[Claim]:
        """Submit a job for each payload and claim them for the given attempt."""
        for payload in payloads:
            await self.store.submit(payload, {})
        for _ in range(attempt - 1):
            for claim in (await self.store.claim(len(payloads))).claims:
                await self.store.requeue(claim, counts=True)
        return (await self.store.claim(len(payloads))).claims

    async def work(self, claims: list[Claim]) -> list[Job]:
        async with asyncio.timeout(20):
            await Batch(claims, self.context).work()
        return await self.jobs([claim.job_id for claim in claims])

    async def jobs(self, job_ids: Sequence[str]) -> list[Job]:
        return [job for job_id in job_ids if (job := await self.store.find(job_id))]

    @asynccontextmanager
    async def loop(self, *, batch_size: int) -> AsyncIterator[None]:
        worker = Worker(self.context, self.listener, batch_size=batch_size, batch_bytes=1_000_000, concurrency=1)
        task = asyncio.create_task(worker.run(self.stopping, timedelta(seconds=5)))
        try:
            yield
        finally:
            self.stopping.set()
            await task

    async def wait_for_ends(self, job_ids: Sequence[str]) -> None:
        async def all_have_ended() -> bool:
            jobs = await self.jobs(job_ids)
            return len(jobs) == len(job_ids) and all(job.status.is_final for job in jobs)

        await wait_until(all_have_ended)


def outcomes(jobs: list[Job]) -> list[tuple[JobStatus, int]]:
    return [(job.status, job.attempts) for job in jobs]


def succeed(_: Sequence[bytes]) -> None:
    pass


def fail_on(bad: bytes, error: Exception) -> Script:
    def script(payloads: Sequence[bytes]) -> None:
        if bad in payloads:
            raise error

    return script


def fail_first(*errors: ModelError) -> Script:
    """Raise the errors one after the other, one for each Predict, and then succeed."""
    remaining = list(errors)

    def script(_: Sequence[bytes]) -> None:
        if remaining:
            raise remaining.pop(0)

    return script
