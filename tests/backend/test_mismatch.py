"""A model that does not fit costs no job: jobs are requeued, and none is claimed until it fits."""

from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from harness.waiting import wait_until
from job_store import JobStatus
from tests.backend.scripted_worker import ScriptedWorker, outcomes, succeed
from tf_serving_client import ModelMismatch, ModelUnavailable

pytestmark = pytest.mark.usefixtures("short_pauses")
MISMATCH = ModelMismatch("m", "version 2 returns int64 [N]", expected="float32 [N, L]", change="export it again")


async def test_a_mismatch_requeues_all_jobs_of_a_batch_without_counting_an_attempt(redis: Redis) -> None:
    worker = ScriptedWorker(redis, succeed)

    def refuse(_: Sequence[bytes]) -> None:
        raise MISMATCH

    worker.model.script = refuse
    jobs = await worker.work(await worker.claim_jobs(b"a", b"b", b"c"))
    assert outcomes(jobs) == [(JobStatus.QUEUED, 0)] * 3


async def test_a_batch_that_waits_for_the_model_is_requeued_when_another_one_is_served_instead(redis: Redis) -> None:
    worker = ScriptedWorker(redis, succeed)
    worker.status.failures = 1_000_000

    def go_down(_: Sequence[bytes]) -> None:
        worker.check.problem = MISMATCH
        raise ModelUnavailable("m", "connection lost")

    worker.model.script = go_down
    assert outcomes(await worker.work(await worker.claim_jobs(b"a", b"b"))) == [(JobStatus.QUEUED, 0)] * 2


async def test_a_worker_claims_nothing_until_the_model_fits(redis: Redis) -> None:
    worker = ScriptedWorker(redis, succeed)
    job_ids = [await worker.store.submit(b"a", {}) for _ in range(20)]

    def refuse(_: Sequence[bytes]) -> None:
        worker.check.problem = MISMATCH
        raise MISMATCH

    worker.model.script = refuse
    async with worker.loop(batch_size=4):
        await wait_until(lambda: worker.check.problem)

        async def are_all_queued() -> bool:
            return {job.status for job in await worker.jobs(job_ids)} == {JobStatus.QUEUED}

        await wait_until(are_all_queued)
        assert len(worker.model.calls) == 1
        worker.model.script, worker.check.problem = succeed, None
        await worker.wait_for_ends(job_ids)
    assert outcomes(await worker.jobs(job_ids)) == [(JobStatus.SUCCEEDED, 1)] * 20
