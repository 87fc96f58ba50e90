"""The worker with real models and a real Redis: no job is lost, recorded twice, or failed because of another job."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from harness.process import Process
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import Job, JobStatus, JobStore
from tests.images import encode_image

WaitForEnd = Callable[[str], Awaitable[Job]]
PROVISIONAL: Final = {"label": "from a test"}
SMALL: Final = encode_image()


async def submit(store: JobStore, count: int) -> list[str]:
    return [await store.submit(SMALL, PROVISIONAL) for _ in range(count)]


async def test_all_jobs_succeed_although_the_worker_is_killed_half_way(
    stack: Stack, client: httpx.AsyncClient, worker: Process, store: JobStore, wait_for_end: WaitForEnd
) -> None:
    responses = [
        await client.post("/predict", content=SMALL, headers={"content-type": "image/jpeg"}) for _ in range(200)
    ]
    job_ids = [response.json()["job_id"] for response in responses]
    assert len(set(job_ids)) == 200

    async def half_are_done() -> bool:
        return await store.backlog_length() <= 100

    await wait_until(half_are_done, within=90)
    worker.kill()
    worker.start()

    jobs = [await wait_for_end(job_id) for job_id in job_ids]
    assert {job.status for job in jobs} == {JobStatus.SUCCEEDED}
    assert max(job.attempts for job in jobs) == 2, "the kill should have cost some jobs their first attempt"
    assert await store.backlog_length() == 0


async def test_only_the_job_whose_image_the_model_rejects_fails(
    store: JobStore, worker: Process, wait_for_end: WaitForEnd
) -> None:
    worker.send(signal.SIGSTOP)  # so that all jobs are claimed as one batch
    good = await submit(store, 2)
    bad = await store.submit(SMALL[:-200], PROVISIONAL)
    good += await submit(store, 1)
    worker.send(signal.SIGCONT)

    assert [(await wait_for_end(job_id)).status for job_id in good] == [JobStatus.SUCCEEDED] * 3
    failed = await wait_for_end(bad)
    assert failed.status is JobStatus.FAILED
    assert failed.error
    assert "INVALID_ARGUMENT" in failed.error
    assert failed.attempts == 1


async def test_an_unavailable_model_costs_no_attempt(
    stack: Stack, store: JobStore, worker: Process, wait_for_end: WaitForEnd
) -> None:
    stack.accurate.stop()
    job_ids = await submit(store, 6)
    await wait_until(lambda: worker.logged("model unavailable"))
    lease_s = store.policy.lease.total_seconds()
    since = asyncio.get_running_loop().time()
    await wait_until(lambda: asyncio.get_running_loop().time() > since + 2 * lease_s)  # heartbeats must extend leases
    stack.accurate.start()
    jobs = [await wait_for_end(job_id) for job_id in job_ids]
    assert {(job.status, job.attempts) for job in jobs} == {(JobStatus.SUCCEEDED, 1)}


async def test_on_sigterm_each_job_is_finished_or_requeued_and_loses_no_attempt(
    stack: Stack, store: JobStore, worker: Process, wait_for_end: WaitForEnd
) -> None:
    job_ids = await submit(store, 40)
    await wait_until(lambda: worker.logged("job finished"))
    assert worker.stop() == 0
    jobs = [await store.find(job_id) for job_id in job_ids]
    assert {job.status for job in jobs if job} == {JobStatus.SUCCEEDED, JobStatus.QUEUED}
    worker.start()
    ended = [await wait_for_end(job_id) for job_id in job_ids]
    assert {(job.status, job.attempts) for job in ended} == {(JobStatus.SUCCEEDED, 1)}


async def test_on_sigterm_while_the_model_is_unavailable_all_jobs_are_requeued(
    stack: Stack, store: JobStore, worker: Process, wait_for_end: WaitForEnd
) -> None:
    stack.accurate.stop()
    job_ids = await submit(store, 6)
    await wait_until(lambda: worker.logged("model unavailable"))
    assert worker.stop() == 0
    jobs = [await store.find(job_id) for job_id in job_ids]
    assert [(job.status, job.attempts) for job in jobs if job] == [(JobStatus.QUEUED, 0)] * 6
    stack.accurate.start()
    worker.start()
    assert {(await wait_for_end(job_id)).attempts for job_id in job_ids} == {1}


async def test_a_worker_that_resumes_after_its_lease_expired_changes_nothing(
    stack: Stack, store: JobStore, worker: Process, wait_for_end: WaitForEnd
) -> None:
    job_ids = await submit(store, 24)
    await wait_until(lambda: worker.logged("job finished"))
    worker.send(signal.SIGSTOP)
    other = worker.variant(worker.log.with_name("other"))
    other.start()
    try:
        before = [await wait_for_end(job_id) for job_id in job_ids]
    finally:
        worker.send(signal.SIGCONT)
    await wait_until(lambda: worker.logged("late result refused") or worker.logged("lease lost"))
    other.stop()
    after = [await wait_for_end(job_id) for job_id in job_ids]
    assert [(job.status, job.output, job.completed_at) for job in after] == [
        (job.status, job.output, job.completed_at) for job in before
    ]
    assert {job.status for job in after} == {JobStatus.SUCCEEDED}


async def test_no_job_is_lost_when_redis_is_killed(stack: Stack, store: JobStore, wait_for_end: WaitForEnd) -> None:
    job_ids = await submit(store, 20)
    await wait_until(lambda: stack.worker.logged("job finished", job_ids[0]))
    await asyncio.to_thread(stack.redis.kill)
    await stack.redis.start()
    assert {(await wait_for_end(job_id)).status for job_id in job_ids} == {JobStatus.SUCCEEDED}
