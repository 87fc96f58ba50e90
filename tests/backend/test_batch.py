"""How a batch handles the errors of a model. The store is real, the model is scripted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from backend.batch import Batch, BatchContext
from backend.retrier import Retrier
from backend.worker import Worker
from harness.waiting import wait_until
from job_store import BacklogListener, Claim, Job, JobStatus, JobStore, Policy
from tf_serving_client import (
    ImageRejected,
    ModelBusy,
    ModelError,
    ModelTooSlow,
    ModelUnavailable,
    Prediction,
)

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


class World:
    """A worker's parts around a scripted model."""

    def __init__(self, redis: Redis, script: Script) -> None:
        self.store = JobStore(redis, Policy(max_attempts=3))
        self.listener = BacklogListener(redis, self.store.keys, timedelta(seconds=0.05))
        self.model, self.status, self.stopping = ScriptedModel(script), ScriptedStatus(), asyncio.Event()
        self.context = BatchContext(self.store, self.model, self.status, Retrier(self.stopping))

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
    async def worker(self, *, batch_size: int) -> AsyncIterator[None]:
        worker = Worker(self.context, self.listener, batch_size=batch_size, concurrency=1)
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


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.batch.MAX_MODEL_PAUSE_S", 0.02)
    monkeypatch.setattr("backend.worker.ERROR_PAUSE_S", 0.0)


async def test_a_bad_image_fails_alone(redis: Redis) -> None:
    world = World(redis, fail_on(b"bad", ImageRejected("m", "bad")))
    jobs = await world.work(await world.claim_jobs(b"a", b"bad", b"c"))
    assert [job.status for job in jobs] == [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.SUCCEEDED]
    assert world.model.calls == [[b"a", b"bad", b"c"], [b"a"], [b"bad"], [b"c"]]


@pytest.mark.parametrize("attempt", [1, 2, 3])
async def test_a_model_that_is_unavailable_from_the_start_costs_no_attempt(redis: Redis, attempt: int) -> None:
    world = World(redis, succeed)
    claims = await world.claim_jobs(b"a", b"b", attempt=attempt)
    world.status.failures = 3

    def refuse_connections(_: Sequence[bytes]) -> None:
        if world.status.failures > 0:
            raise ModelUnavailable("m", "connection refused")

    world.model.script = refuse_connections
    assert outcomes(await world.work(claims)) == [(JobStatus.SUCCEEDED, attempt)] * 2


async def test_payloads_of_an_interrupted_predict_are_sent_one_by_one(redis: Redis) -> None:
    world = World(redis, fail_first(ModelUnavailable("m", "connection lost")))
    assert outcomes(await world.work(await world.claim_jobs(b"a", b"b"))) == [(JobStatus.SUCCEEDED, 1)] * 2
    assert world.model.calls == [[b"a", b"b"], [b"a"], [b"b"]]


async def test_an_image_that_crashes_the_model_twice_is_requeued_and_its_attempt_counts(redis: Redis) -> None:
    world = World(redis, fail_on(b"poison", ModelUnavailable("m", "killed")))
    assert outcomes(await world.work(await world.claim_jobs(b"a", b"poison", b"c"))) == [
        (JobStatus.SUCCEEDED, 1),
        (JobStatus.QUEUED, 1),
        (JobStatus.SUCCEEDED, 1),
    ]


async def test_a_single_image_that_is_too_slow_spends_an_attempt_if_the_model_is_available(redis: Redis) -> None:
    world = World(redis, fail_first(ModelTooSlow("m", "late"), ModelTooSlow("m", "late")))
    jobs = await world.work(await world.claim_jobs(b"slow", b"b"))
    assert outcomes(jobs) == [(JobStatus.QUEUED, 1), (JobStatus.SUCCEEDED, 1)]


async def test_a_model_that_hangs_is_unavailable_and_costs_no_attempt(redis: Redis) -> None:
    world = World(redis, fail_first(ModelTooSlow("m", "late")))
    world.status.failures = 2
    assert outcomes(await world.work(await world.claim_jobs(b"a"))) == [(JobStatus.SUCCEEDED, 1)]


async def test_an_image_spends_an_attempt_if_the_model_refuses_it_alone(redis: Redis) -> None:
    world = World(redis, fail_on(b"refused", ModelBusy("m", "out of memory")))
    jobs = await world.work(await world.claim_jobs(b"refused", b"b"))
    assert outcomes(jobs) == [(JobStatus.QUEUED, 1), (JobStatus.SUCCEEDED, 1)]
    assert world.model.calls.count([b"refused"]) < 30


async def test_a_model_that_refuses_all_images_for_a_while_costs_no_attempt(redis: Redis) -> None:
    world = World(redis, fail_first(*[ModelBusy("m", "full")] * 20))
    assert outcomes(await world.work(await world.claim_jobs(b"a", b"b"))) == [(JobStatus.SUCCEEDED, 1)] * 2


async def test_the_results_of_a_batch_share_a_round_trip_to_redis(redis: Redis) -> None:
    world = World(redis, succeed)
    batch = Batch(await world.claim_jobs(b"1", b"2", b"3", b"4", b"5", b"6"), world.context)
    first = int((await redis.info("stats"))["total_reads_processed"])
    await batch.work()
    reads = int((await redis.info("stats"))["total_reads_processed"]) - first
    assert not batch.unfinished
    assert reads <= 3, "the results; the script, which Redis may not have cached yet; and this INFO"


async def test_jobs_that_a_stopping_worker_requeues_keep_their_attempts(redis: Redis) -> None:
    world = World(redis, succeed)

    def stop_worker(_: Sequence[bytes]) -> None:
        world.stopping.set()
        raise ModelUnavailable("m", "connection lost")

    world.model.script = stop_worker
    claims = await world.claim_jobs(b"a", b"b")
    unfinished = Batch(claims, world.context)
    await unfinished.work()
    await unfinished.requeue(counts=False, reason="the worker is stopping")
    assert outcomes(await world.jobs([claim.job_id for claim in claims])) == [(JobStatus.QUEUED, 0)] * 2


async def test_an_error_in_recording_one_result_affects_no_other_job(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(redis, succeed)
    finish = world.store.finish

    async def faulty_finish(claim: Claim, output: Mapping[str, object]) -> bool:
        if claim.payload == b"bad":
            raise RuntimeError("a bug in the worker")
        return await finish(claim, output)

    monkeypatch.setattr(world.store, "finish", faulty_finish)
    job_ids = [await world.store.submit(payload, {}) for payload in (b"1", b"2", b"bad", b"4")]
    async with world.worker(batch_size=8):
        await world.wait_for_ends(job_ids)
    success = (JobStatus.SUCCEEDED, 1)
    assert outcomes(await world.jobs(job_ids)) == [success, success, (JobStatus.FAILED, 3), success]


async def test_an_error_in_the_worker_spends_an_attempt_and_does_not_stop_the_worker(redis: Redis) -> None:
    world = World(redis, fail_on(b"fault", RuntimeError("a bug in the worker")))
    bad = await world.store.submit(b"fault", {})
    async with world.worker(batch_size=1):
        good = await world.store.submit(b"good", {})
        await world.wait_for_ends([bad, good])
    assert outcomes(await world.jobs([bad, good])) == [(JobStatus.FAILED, 3), (JobStatus.SUCCEEDED, 1)]
