"""How a batch handles the errors of a model. The store is real, the model is scripted."""

from collections.abc import Mapping, Sequence

import pytest
from redis.asyncio import Redis

from backend.batch import Batch
from job_store import Claim, JobStatus
from tests.backend.scripted_worker import ScriptedWorker, fail_first, fail_on, outcomes, succeed
from tf_serving_client import InputRejected, ModelBusy, ModelTooSlow, ModelUnavailable

pytestmark = pytest.mark.usefixtures("short_pauses")


async def test_a_bad_image_fails_alone(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_on(b"bad", InputRejected("m", "bad")))
    jobs = await worker.work(await worker.claim_jobs(b"a", b"bad", b"c"))
    assert [job.status for job in jobs] == [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.SUCCEEDED]
    assert worker.model.calls == [[b"a", b"bad", b"c"], [b"a"], [b"bad"], [b"c"]]


@pytest.mark.parametrize("attempt", [1, 2, 3])
async def test_a_model_that_is_unavailable_from_the_start_costs_no_attempt(redis: Redis, attempt: int) -> None:
    worker = ScriptedWorker(redis, succeed)
    claims = await worker.claim_jobs(b"a", b"b", attempt=attempt)
    worker.status.failures = 3

    def refuse_connections(_: Sequence[bytes]) -> None:
        if worker.status.failures > 0:
            raise ModelUnavailable("m", "connection refused")

    worker.model.script = refuse_connections
    assert outcomes(await worker.work(claims)) == [(JobStatus.SUCCEEDED, attempt)] * 2


async def test_payloads_of_an_interrupted_predict_are_sent_one_by_one(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_first(ModelUnavailable("m", "connection lost")))
    assert outcomes(await worker.work(await worker.claim_jobs(b"a", b"b"))) == [(JobStatus.SUCCEEDED, 1)] * 2
    assert worker.model.calls == [[b"a", b"b"], [b"a"], [b"b"]]


async def test_an_image_that_crashes_the_model_twice_is_requeued_and_its_attempt_counts(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_on(b"poison", ModelUnavailable("m", "killed")))
    assert outcomes(await worker.work(await worker.claim_jobs(b"a", b"poison", b"c"))) == [
        (JobStatus.SUCCEEDED, 1),
        (JobStatus.QUEUED, 1),
        (JobStatus.SUCCEEDED, 1),
    ]


async def test_a_single_image_that_is_too_slow_spends_an_attempt_if_the_model_is_available(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_first(ModelTooSlow("m", "late"), ModelTooSlow("m", "late")))
    jobs = await worker.work(await worker.claim_jobs(b"slow", b"b"))
    assert outcomes(jobs) == [(JobStatus.QUEUED, 1), (JobStatus.SUCCEEDED, 1)]


async def test_a_model_that_hangs_is_unavailable_and_costs_no_attempt(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_first(ModelTooSlow("m", "late")))
    worker.status.failures = 2
    assert outcomes(await worker.work(await worker.claim_jobs(b"a"))) == [(JobStatus.SUCCEEDED, 1)]


async def test_an_image_spends_an_attempt_if_the_model_refuses_it_alone(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_on(b"refused", ModelBusy("m", "out of memory")))
    jobs = await worker.work(await worker.claim_jobs(b"refused", b"b"))
    assert outcomes(jobs) == [(JobStatus.QUEUED, 1), (JobStatus.SUCCEEDED, 1)]
    assert worker.model.calls.count([b"refused"]) < 30


async def test_a_model_that_refuses_all_images_for_a_while_costs_no_attempt(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_first(*[ModelBusy("m", "full")] * 20))
    assert outcomes(await worker.work(await worker.claim_jobs(b"a", b"b"))) == [(JobStatus.SUCCEEDED, 1)] * 2


async def test_the_results_of_a_batch_share_a_round_trip_to_redis(redis: Redis) -> None:
    worker = ScriptedWorker(redis, succeed)
    batch = Batch(await worker.claim_jobs(b"1", b"2", b"3", b"4", b"5", b"6"), worker.context)
    first = int((await redis.info("stats"))["total_reads_processed"])
    await batch.work()
    reads = int((await redis.info("stats"))["total_reads_processed"]) - first
    assert not batch.unfinished
    assert reads <= 3, "the results; the script, which Redis may not have cached yet; and this INFO"


async def test_jobs_that_a_stopping_worker_requeues_keep_their_attempts(redis: Redis) -> None:
    worker = ScriptedWorker(redis, succeed)

    def stop_worker(_: Sequence[bytes]) -> None:
        worker.stopping.set()
        raise ModelUnavailable("m", "connection lost")

    worker.model.script = stop_worker
    claims = await worker.claim_jobs(b"a", b"b")
    unfinished = Batch(claims, worker.context)
    await unfinished.work()
    await unfinished.requeue(counts=False, reason="the worker is stopping")
    assert outcomes(await worker.jobs([claim.job_id for claim in claims])) == [(JobStatus.QUEUED, 0)] * 2


async def test_an_error_in_recording_one_result_affects_no_other_job(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = ScriptedWorker(redis, succeed)
    finish = worker.store.finish

    async def faulty_finish(claim: Claim, output: Mapping[str, object]) -> bool:
        if claim.payload == b"bad":
            raise RuntimeError("a bug in the worker")
        return await finish(claim, output)

    monkeypatch.setattr(worker.store, "finish", faulty_finish)
    job_ids = [await worker.store.submit(payload, {}) for payload in (b"1", b"2", b"bad", b"4")]
    async with worker.loop(batch_size=8):
        await worker.wait_for_ends(job_ids)
    success = (JobStatus.SUCCEEDED, 1)
    assert outcomes(await worker.jobs(job_ids)) == [success, success, (JobStatus.FAILED, 3), success]


async def test_an_error_in_the_worker_spends_an_attempt_and_does_not_stop_the_worker(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_on(b"fault", RuntimeError("a bug in the worker")))
    bad = await worker.store.submit(b"fault", {})
    async with worker.loop(batch_size=1):
        good = await worker.store.submit(b"good", {})
        await worker.wait_for_ends([bad, good])
    assert outcomes(await worker.jobs([bad, good])) == [(JobStatus.FAILED, 3), (JobStatus.SUCCEEDED, 1)]
