"""A worker that a test controls, on the running Redis and models."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from harness.process import Process
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import Job, JobStatus, JobStore, Policy


@pytest_asyncio.fixture
async def store(stack: Stack) -> AsyncIterator[JobStore]:
    """The running stack's job store, over a connection of the test's own."""
    async with stack.redis.client() as client:
        store = JobStore(client, Policy(lease=timedelta(seconds=2)))
        await stack.wait_until_idle()
        yield store


@pytest_asyncio.fixture
async def worker(stack: Stack, tmp_path: Path) -> AsyncIterator[Process]:
    """The stack's worker, restarted with a lease of two seconds, so that a lost job is soon claimed again."""
    original = stack.worker
    original.stop()
    stack.worker = original.variant(tmp_path / "backend", LEASE="2", BATCH_SIZE="4")
    with stack.worker:
        await wait_until(lambda: stack.worker.logged("worker started"))
        yield stack.worker
    stack.worker = original
    original.start()


@pytest.fixture
def wait_for_end(store: JobStore) -> Callable[[str], Awaitable[Job]]:
    """Return the job once its status is final."""

    async def wait_for_end(job_id: str) -> Job:
        async def ended_job() -> Job | None:
            job = await store.find(job_id)
            assert job, "the job no longer exists"
            return job if job.status.is_final else None

        job = await wait_until(ended_job, within=90)
        assert job.status in (JobStatus.SUCCEEDED, JobStatus.FAILED)
        return job

    return wait_for_end


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.batch.MAX_MODEL_PAUSE_S", 0.02)
    monkeypatch.setattr("backend.worker.ERROR_PAUSE_S", 0.0)
