"""A worker under the test's hand, on the running Redis and models."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
    """The running stack's job store, seen from a client of the test's own."""
    async with stack.redis.client() as client:
        store = JobStore(client, Policy(lease=timedelta(seconds=2)))
        await stack.wait_until_idle()
        yield store


@pytest.fixture
def short_lease(stack: Stack, tmp_path: Path) -> Iterator[Process]:
    """The stack's worker, started anew with a lease of two seconds, so that a lost one is missed soon."""
    own = stack.worker
    own.stop()
    stack.worker = own.variant(tmp_path / "backend", LEASE="2", BATCH_SIZE="4")
    stack.worker.start()
    yield stack.worker
    stack.worker.stop()
    stack.worker = own
    own.start()


@pytest.fixture
def ended(store: JobStore) -> Callable[[str], Awaitable[Job]]:
    async def ended(job_id: str) -> Job:
        async def final() -> Job | None:
            job = await store.find(job_id)
            assert job, "the job is gone"
            return job if job.status.is_final else None

        job = await wait_until(final, within=90)
        assert job.status in (JobStatus.SUCCEEDED, JobStatus.FAILED)
        return job

    return ended
