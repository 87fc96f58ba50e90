"""A wrong model costs no job."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from job_store import JobStatus
from tests.backend.scripted_worker import GOOD_IMAGE, ScriptedWorker, fail_first, outcomes, succeed
from tf_serving_client import ImageRejected, ModelUnavailable

pytestmark = pytest.mark.usefixtures("short_pauses")


async def test_a_wrong_model_that_rejects_every_image_fails_no_job(redis: Redis) -> None:
    worker = ScriptedWorker(redis, succeed)
    rejected: list[bytes] = []

    def reject(payloads: Sequence[bytes]) -> None:
        rejected.extend(payloads)
        if len(rejected) > 20:
            worker.model.script = succeed  # the right model is served
        raise ImageRejected("m", "input tensor alias not found in signature: image_bytes")

    worker.model.script = reject
    assert outcomes(await worker.work(await worker.claim_jobs(b"a", b"b"))) == [(JobStatus.SUCCEEDED, 1)] * 2


async def test_a_model_that_is_unavailable_when_a_rejection_is_checked_fails_no_job(redis: Redis) -> None:
    worker = ScriptedWorker(redis, fail_first(ImageRejected("m", "bad"), ModelUnavailable("m", "connection lost")))
    assert outcomes(await worker.work(await worker.claim_jobs(b"a"))) == [(JobStatus.SUCCEEDED, 1)]


async def test_jobs_are_requeued_when_the_worker_stops_while_the_model_is_wrong(redis: Redis) -> None:
    worker = ScriptedWorker(redis, succeed)

    def reject(payloads: Sequence[bytes]) -> None:
        if GOOD_IMAGE in payloads:
            asyncio.get_running_loop().call_soon(worker.stopping.set)
        raise ImageRejected("m", "wrong model")

    worker.model.script = reject
    job_id = await worker.store.submit(b"a", {})
    async with worker.loop(batch_size=1):
        await worker.stopping.wait()
    assert outcomes(await worker.jobs([job_id])) == [(JobStatus.QUEUED, 0)]
