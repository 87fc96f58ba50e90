"""No healthy job fails because of other jobs, a slow link or a wrong model."""

import grpc
import pytest

from bench.null_model import NullModel
from harness.waiting import wait_until
from job_store import JobStatus, JobStore
from tests.backend.process.deadly_images import DEADLY, STATUS
from tests.backend.process.jobs import MODEL, StartWorker, wait_for_ends
from tests.chaos.tcp_link import TcpLink

pytestmark = pytest.mark.slow


class WrongModel(NullModel):
    """It rejects every input, as long as `is_wrong`."""

    is_wrong = True

    def predict(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if self.is_wrong:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "decode failed")
        return super().predict(request, context)


@pytest.mark.parametrize("batch_bytes", [1 << 30, 2_500_000], ids=["limited by claims that were lost", "limited"])
async def test_large_jobs_succeed_over_a_link_that_cannot_carry_a_full_batch_before_the_timeout(
    store: JobStore, link: TcpLink, start_worker: StartWorker, batch_bytes: int
) -> None:
    """The proportions of 16 images of 10 MB over 100 Mbit/s."""
    job_ids = [await store.submit(bytes(1_000_000), {}) for _ in range(16)]
    link.bytes_per_s = 1_250_000
    worker = start_worker(REDIS_TIMEOUT="3", BATCH_BYTES=str(batch_bytes))
    jobs = await wait_for_ends(store, job_ids, within=100)
    assert {job.status for job in jobs} == {JobStatus.SUCCEEDED}
    lost = worker.logged("store unavailable", "Timeout")
    assert lost > 0 if batch_bytes > 2_500_000 else lost == 0


@pytest.mark.timeout(240)
async def test_an_image_that_kills_the_worker_costs_other_jobs_one_attempt_at_most(
    store: JobStore, start_worker: StartWorker
) -> None:
    good = [await store.submit(b"good", {}) for _ in range(7)]
    deadly = await store.submit(DEADLY, {})
    good += [await store.submit(b"good", {}) for _ in range(12)]
    deadlier = await store.submit(DEADLY, {})
    good += [await store.submit(b"good", {}) for _ in range(3)]
    worker, deaths = start_worker("tests.backend.process.deadly_images"), 0

    async def have_all_ended() -> bool:
        nonlocal deaths
        if not worker.is_running:  # restart it, as a supervisor would
            assert worker.popen
            assert worker.popen.returncode == STATUS, worker.log_tail()
            deaths += 1
            worker.start()
        return await store.backlog_length() == 0

    await wait_until(have_all_ended, within=200)
    jobs = await wait_for_ends(store, good)
    assert {job.status for job in jobs} == {JobStatus.SUCCEEDED}
    assert max(job.attempts for job in jobs) == 2, "the first death should have cost its neighbours an attempt"
    killers = await wait_for_ends(store, [deadly, deadlier])
    assert {(job.status, job.attempts) for job in killers} == {(JobStatus.FAILED, 3)}
    assert deaths <= 6
    assert all(worker.logged("job failed", job_id, "gave up") == 1 for job_id in (deadly, deadlier))


class TestWrongModel:
    @pytest.fixture
    def model(self) -> WrongModel:
        return WrongModel(MODEL, predict_s=0.002)

    async def test_a_worker_claims_nothing_while_the_model_is_wrong(
        self, store: JobStore, model: WrongModel, start_worker: StartWorker
    ) -> None:
        job_ids = [await store.submit(b"image", {}) for _ in range(50)]
        worker = start_worker()
        await wait_until(lambda: worker.logged("model mismatch"))
        assert {job.status for job_id in job_ids if (job := await store.find(job_id))} == {JobStatus.QUEUED}
        model.is_wrong = False
        jobs = await wait_for_ends(store, job_ids)
        assert {(job.status, job.attempts) for job in jobs} == {(JobStatus.SUCCEEDED, 1)}
        assert worker.logged("model served") == 1

    async def test_a_model_that_becomes_wrong_fails_no_job(
        self, store: JobStore, model: WrongModel, start_worker: StartWorker
    ) -> None:
        model.is_wrong = False
        worker = start_worker()
        await wait_for_ends(store, [await store.submit(b"image", {})])
        model.is_wrong = True
        job_ids = [await store.submit(b"image", {}) for _ in range(50)]
        await wait_until(lambda: worker.logged("model mismatch"))
        model.is_wrong = False
        jobs = await wait_for_ends(store, job_ids)
        assert {(job.status, job.attempts) for job in jobs} == {(JobStatus.SUCCEEDED, 1)}
