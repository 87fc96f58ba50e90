"""The worker against real models and a real Redis: nothing lost, nothing doubled, the guilty alone are punished."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import httpx

from harness.process import Process
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import Job, JobStatus, JobStore
from tests.images import encoded

Ended = Callable[[str], Awaitable[Job]]
PROVISIONAL = {"label": "from a test"}
SMALL = encoded()


async def test_two_hundred_jobs_succeed_though_the_worker_is_killed_half_way(
    stack: Stack, client: httpx.AsyncClient, short_lease: Process, store: JobStore, ended: Ended
) -> None:
    responses = [
        await client.post("/predict", content=SMALL, headers={"content-type": "image/jpeg"}) for _ in range(200)
    ]
    job_ids = [response.json()["job_id"] for response in responses]
    assert len(set(job_ids)) == 200

    async def half_are_done() -> bool:
        return await store.backlog_length() <= 100

    await wait_until(half_are_done, within=90)
    short_lease.kill()
    short_lease.start()

    jobs = [await ended(job_id) for job_id in job_ids]
    assert {job.status for job in jobs} == {JobStatus.SUCCEEDED}
    assert max(job.attempts for job in jobs) == 2, "the kill should have cost some jobs their first attempt"
    assert await store.backlog_length() == 0


async def test_only_the_image_that_the_model_rejects_fails(store: JobStore, short_lease: Process, ended: Ended) -> None:
    short_lease.send(signal.SIGSTOP)  # so that all of them are one batch
    good = [await store.submit(SMALL, PROVISIONAL) for _ in range(2)]
    bad = await store.submit(SMALL[:-200], PROVISIONAL)
    good.append(await store.submit(SMALL, PROVISIONAL))
    short_lease.send(signal.SIGCONT)

    assert [(await ended(job_id)).status for job_id in good] == [JobStatus.SUCCEEDED] * 3
    failed = await ended(bad)
    assert failed.status is JobStatus.FAILED
    assert failed.error
    assert "INVALID_ARGUMENT" in failed.error
    assert failed.attempts == 1


async def test_a_model_that_is_away_costs_no_attempt(
    stack: Stack, store: JobStore, short_lease: Process, ended: Ended
) -> None:
    stack.accurate.stop()
    job_ids = [await store.submit(SMALL, PROVISIONAL) for _ in range(6)]
    await wait_until(lambda: short_lease.logged("model unavailable"))
    lease_s = store.policy.lease.total_seconds()
    since = asyncio.get_running_loop().time()
    await wait_until(lambda: asyncio.get_running_loop().time() > since + 2 * lease_s)  # leases must be kept up
    stack.accurate.start()
    jobs = [await ended(job_id) for job_id in job_ids]
    assert {(job.status, job.attempts) for job in jobs} == {(JobStatus.SUCCEEDED, 1)}


async def test_sigterm_finishes_or_gives_back_and_costs_no_attempt(
    stack: Stack, store: JobStore, short_lease: Process, ended: Ended
) -> None:
    job_ids = [await store.submit(SMALL, PROVISIONAL) for _ in range(40)]
    await wait_until(lambda: short_lease.logged("job finished"))
    assert short_lease.stop() == 0
    jobs = [await store.find(job_id) for job_id in job_ids]
    assert {job.status for job in jobs if job} == {JobStatus.SUCCEEDED, JobStatus.QUEUED}
    short_lease.start()
    assert {((job := await ended(job_id)).status, job.attempts) for job_id in job_ids} == {(JobStatus.SUCCEEDED, 1)}


async def test_sigterm_while_the_model_is_away_gives_everything_back(
    stack: Stack, store: JobStore, short_lease: Process, ended: Ended
) -> None:
    stack.accurate.stop()
    job_ids = [await store.submit(SMALL, PROVISIONAL) for _ in range(6)]
    await wait_until(lambda: short_lease.logged("model unavailable"))
    assert short_lease.stop() == 0
    jobs = [await store.find(job_id) for job_id in job_ids]
    assert [(job.status, job.attempts) for job in jobs if job] == [(JobStatus.QUEUED, 0)] * 6
    stack.accurate.start()
    short_lease.start()
    assert {(await ended(job_id)).attempts for job_id in job_ids} == {1}


async def test_a_worker_that_wakes_after_its_lease_changes_nothing(
    stack: Stack, store: JobStore, short_lease: Process, ended: Ended
) -> None:
    job_ids = [await store.submit(SMALL, PROVISIONAL) for _ in range(24)]
    await wait_until(lambda: short_lease.logged("job finished"))
    short_lease.send(signal.SIGSTOP)
    other = short_lease.variant(short_lease.log.with_name("other"))
    other.start()
    try:
        before = [await ended(job_id) for job_id in job_ids]
    finally:
        short_lease.send(signal.SIGCONT)
    await wait_until(lambda: short_lease.logged("late result refused") or short_lease.logged("lease lost"))
    other.stop()
    after = [await ended(job_id) for job_id in job_ids]
    assert [(job.status, job.output, job.completed_at) for job in after] == [
        (job.status, job.output, job.completed_at) for job in before
    ]
    assert {job.status for job in after} == {JobStatus.SUCCEEDED}


async def test_redis_may_be_killed_under_the_worker(stack: Stack, store: JobStore, ended: Ended) -> None:
    job_ids = [await store.submit(SMALL, PROVISIONAL) for _ in range(20)]
    await wait_until(lambda: stack.worker.logged("job finished", job_ids[0]))
    await asyncio.to_thread(stack.redis.kill)
    await stack.redis.start()
    assert {(await ended(job_id)).status for job_id in job_ids} == {JobStatus.SUCCEEDED}
