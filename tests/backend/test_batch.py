"""What becomes of a batch when the model does what it should not. The store is real, the model is scripted."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from backend import batch
from backend.batch import Batch, Means
from backend.retrier import Patience
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

Answer = Callable[[Sequence[bytes]], None]
"""Looks at the images of a Predict; raises what the model says, or returns, and they are classified."""


class ScriptedModel:
    def __init__(self, answer: Answer) -> None:
        self.model, self.deadline, self.answer = "m", timedelta(seconds=0.05), answer
        self.asked: list[list[bytes]] = []

    async def classify(self, payloads: Sequence[bytes]) -> list[Prediction]:
        self.asked.append(list(payloads))
        self.answer(payloads)
        return [Prediction(self.model, 1, ((payload.decode(), 1.0),)) for payload in payloads]


class ScriptedStatus:
    """Available but for as many questions as `away`."""

    model = "m"

    def __init__(self) -> None:
        self.away = 0

    async def is_available(self) -> bool:
        self.away -= 1
        return self.away < 0


class World:
    def __init__(self, redis: Redis, answer: Answer) -> None:
        self.store = JobStore(redis, Policy(max_attempts=3))
        self.model, self.status, self.stopping = ScriptedModel(answer), ScriptedStatus(), asyncio.Event()
        self.means = Means(self.store, self.model, self.status, Patience(self.stopping))

    async def claimed(self, *images: bytes, attempt: int = 1) -> list[Claim]:
        """Jobs of these images, in their so-manieth attempt."""
        for image in images:
            await self.store.submit(image, {})
        for _ in range(attempt - 1):
            for claim in (await self.store.claim(len(images))).claims:
                await self.store.requeue(claim, counts=True)
        return (await self.store.claim(len(images))).claims

    async def work(self, claims: list[Claim]) -> list[Job]:
        async with asyncio.timeout(20):
            await Batch(claims, self.means).work()
        return [job for claim in claims if (job := await self.store.find(claim.job_id))]


def fates(jobs: list[Job]) -> list[tuple[JobStatus, int]]:
    return [(job.status, job.attempts) for job in jobs]


def raises_in_turn(*errors: ModelError | None) -> Answer:
    left = list(errors)

    def answer(images: Sequence[bytes]) -> None:
        error = left.pop(0) if left else None
        if error:
            raise error

    return answer


async def test_one_bad_image_fails_alone(redis: Redis) -> None:
    def answer(images: Sequence[bytes]) -> None:
        if b"bad" in images:
            raise ImageRejected("m", "bad")

    world = World(redis, answer)
    jobs = await world.work(await world.claimed(b"a", b"bad", b"c"))
    assert [job.status for job in jobs] == [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.SUCCEEDED]
    assert world.model.asked == [[b"a", b"bad", b"c"], [b"a"], [b"bad"], [b"c"]]


@pytest.mark.parametrize("attempt", [1, 2, 3])
async def test_a_model_that_is_away_from_the_start_costs_no_attempt(redis: Redis, attempt: int) -> None:
    world = World(redis, raises_in_turn())
    claims = await world.claimed(b"a", b"b", attempt=attempt)
    world.status.away = 3

    def answer(_: Sequence[bytes]) -> None:
        if world.status.away > 0:
            raise ModelUnavailable("m", "connection refused")

    world.model.answer = answer
    assert fates(await world.work(claims)) == [(JobStatus.SUCCEEDED, attempt)] * 2


async def test_what_was_asked_when_the_model_went_is_asked_alone_when_it_is_back(redis: Redis) -> None:
    world = World(redis, raises_in_turn(ModelUnavailable("m", "gone")))
    assert fates(await world.work(await world.claimed(b"a", b"b"))) == [(JobStatus.SUCCEEDED, 1)] * 2
    assert world.model.asked == [[b"a", b"b"], [b"a"], [b"b"]]


async def test_an_image_that_loses_the_model_twice_is_given_back_with_its_attempt_spent(redis: Redis) -> None:
    def answer(images: Sequence[bytes]) -> None:
        if b"poison" in images:
            raise ModelUnavailable("m", "killed")

    world = World(redis, answer)
    assert fates(await world.work(await world.claimed(b"a", b"poison", b"c"))) == [
        (JobStatus.SUCCEEDED, 1),
        (JobStatus.QUEUED, 1),
        (JobStatus.SUCCEEDED, 1),
    ]


async def test_a_single_image_that_is_too_slow_spends_an_attempt_where_the_model_is_well(redis: Redis) -> None:
    world = World(redis, raises_in_turn(ModelTooSlow("m", "late"), ModelTooSlow("m", "late")))
    jobs = await world.work(await world.claimed(b"slow", b"b"))
    assert fates(jobs) == [(JobStatus.QUEUED, 1), (JobStatus.SUCCEEDED, 1)]


async def test_a_model_that_hangs_is_away_and_not_slow(redis: Redis) -> None:
    world = World(redis, raises_in_turn(ModelTooSlow("m", "late")))
    world.status.away = 2
    assert fates(await world.work(await world.claimed(b"a"))) == [(JobStatus.SUCCEEDED, 1)]


async def test_an_image_that_alone_is_refused_spends_an_attempt(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LONGEST_REST_S", 0.02)

    def answer(images: Sequence[bytes]) -> None:
        if b"refused" in images:
            raise ModelBusy("m", "out of memory")

    world = World(redis, answer)
    jobs = await world.work(await world.claimed(b"refused", b"b"))
    assert fates(jobs) == [(JobStatus.QUEUED, 1), (JobStatus.SUCCEEDED, 1)]
    assert world.model.asked.count([b"refused"]) < 30


async def test_a_model_that_refuses_everybody_costs_nobody_an_attempt_soon(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LONGEST_REST_S", 0.02)
    world = World(redis, raises_in_turn(*[ModelBusy("m", "full")] * 20))
    assert fates(await world.work(await world.claimed(b"a", b"b"))) == [(JobStatus.SUCCEEDED, 1)] * 2


async def test_a_fault_in_recording_one_answer_harms_no_other(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.worker.AFTER_A_FAULT_S", 0.0)
    world = World(redis, lambda images: None)
    finish = world.store.finish

    async def faulty(claim: Claim, output: Mapping[str, object]) -> bool:
        if claim.payload == b"bad":
            raise RuntimeError("a fault of ours")
        return await finish(claim, output)

    monkeypatch.setattr(world.store, "finish", faulty)
    ids = [await world.store.submit(image, {}) for image in (b"1", b"2", b"bad", b"4")]
    bell = BacklogListener(redis, world.store.keys, timedelta(seconds=0.05))
    worker = Worker(world.means, bell, batch_size=8, lanes=1)
    running = asyncio.create_task(worker.run(world.stopping, timedelta(seconds=5)))

    async def all_have_ended() -> bool:
        return all([(job := await world.store.find(job_id)) and job.status.is_final for job_id in ids])

    await wait_until(all_have_ended)
    world.stopping.set()
    await running
    ends = fates([job for job_id in ids if (job := await world.store.find(job_id))])
    done = (JobStatus.SUCCEEDED, 1)
    assert ends == [done, done, (JobStatus.FAILED, 3), done]


async def test_the_answers_of_a_batch_share_a_round_trip_to_redis(redis: Redis) -> None:
    world = World(redis, lambda images: None)
    for image in (b"1", b"2", b"3", b"4", b"5", b"6"):
        await world.store.submit(image, {})
    batch = Batch((await world.store.claim(8)).claims, world.means)
    first = int((await redis.info("stats"))["total_reads_processed"])
    await batch.work()
    reads = int((await redis.info("stats"))["total_reads_processed"]) - first
    assert not batch.unfinished
    assert reads <= 3, "the answers; the script, to a Redis that did not know it yet; and this question"


async def test_what_a_stopping_worker_has_not_done_goes_back_at_no_cost(redis: Redis) -> None:
    world = World(redis, raises_in_turn())

    def stop(_: Sequence[bytes]) -> None:
        world.stopping.set()
        raise ModelUnavailable("m", "gone")

    world.model.answer = stop
    claims = await world.claimed(b"a", b"b")
    unfinished = Batch(claims, world.means)
    await unfinished.work()
    await unfinished.requeue(counts=False, reason="the worker stops")
    jobs = [job for claim in claims if (job := await world.store.find(claim.job_id))]
    assert fates(jobs) == [(JobStatus.QUEUED, 0)] * 2


async def test_a_fault_of_the_worker_itself_spends_an_attempt_and_no_lane(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.worker.AFTER_A_FAULT_S", 0.0)

    def answer(images: Sequence[bytes]) -> None:
        if images[0] == b"fault":
            raise RuntimeError("a fault of ours")

    world = World(redis, answer)
    bad = await world.store.submit(b"fault", {})
    bell = BacklogListener(redis, world.store.keys, timedelta(seconds=0.05))
    worker = Worker(world.means, bell, batch_size=1, lanes=1)
    running = asyncio.create_task(worker.run(world.stopping, timedelta(seconds=5)))
    good = await world.store.submit(b"good", {})

    async def both_have_ended() -> bool:
        return all([(job := await world.store.find(job_id)) and job.status.is_final for job_id in (bad, good)])

    await wait_until(both_have_ended)
    world.stopping.set()
    await running
    jobs = [job for i in (bad, good) if (job := await world.store.find(i))]
    assert fates(jobs) == [(JobStatus.FAILED, 3), (JobStatus.SUCCEEDED, 1)]
