"""What the tests of the worker process share."""

from collections.abc import Callable, Sequence
from typing import Final

from harness.process import Process
from harness.waiting import wait_until
from job_store import Job, JobStore

MODEL: Final = "inception_v3"
LEASE_S: Final = 1
StartWorker = Callable[..., Process]


async def wait_for_ends(store: JobStore, job_ids: Sequence[str], *, within: float = 60) -> list[Job]:
    async def have_ended() -> list[Job] | None:
        jobs = [job for job_id in job_ids if (job := await store.find(job_id))]
        assert len(jobs) == len(job_ids), "a job no longer exists"
        return jobs if all(job.status.is_final for job in jobs) else None

    return await wait_until(have_ended, within=within)
