"""A worker is killed at each step of a job, or suspended for longer than its lease."""

import asyncio
import signal
import time
from typing import Final

from harness.waiting import wait_until
from job_store.keys import WORKERS
from tests.chaos.chaos_stack import BATCH_SIZE, ChaosStack
from tests.chaos.fault import Fault, wait_for_trigger
from tests.chaos.small_models import PNG

FINISH: Final = b"succeeded"
"""Occurs in the command that records a result, and in no other."""


async def kill_after_claim(stack: ChaosStack) -> None:
    """Redis has executed the claim of a batch, but its response never reaches the worker."""
    worker = stack.target_worker
    await wait_for_trigger(worker.redis_link.stall_at(PNG, "response", forward=False))
    worker.crash_and_restart()


async def kill_during_predict(stack: ChaosStack) -> None:
    """The model has received the images and can't return its predictions."""
    worker = stack.target_worker
    await wait_for_trigger(worker.model_link.stall_at(PNG, "request", forward=True))
    worker.crash_and_restart()


async def kill_before_finish(stack: ChaosStack) -> None:
    """The worker has the predictions; none has reached Redis."""
    worker = stack.target_worker
    await wait_for_trigger(worker.redis_link.stall_at(FINISH, "request", forward=False))
    worker.crash_and_restart()


async def kill_between_jobs_of_a_batch(stack: ChaosStack) -> None:
    """Redis has recorded the first result of a batch and received a part of the second."""
    worker = stack.target_worker
    fired = worker.redis_link.stall_at(FINISH, "request", forward=True, first_only=True, min_matches=2)
    await wait_for_trigger(fired)
    worker.crash_and_restart()


async def kill_between_two_batches(stack: ChaosStack) -> None:
    """Both batches are at the model. One of them returns, and its first result is recorded."""
    worker = stack.target_worker

    async def are_all_batches_at_the_model() -> bool:
        """More than a batch is waiting, so every worker has claimed as many batches as it may."""
        return await waiting_jobs(stack) > BATCH_SIZE

    stack.accurate.send(signal.SIGSTOP)
    try:
        await wait_until(are_all_batches_at_the_model)
        fired = worker.redis_link.stall_at(FINISH, "request", forward=True, first_only=True)
    finally:
        stack.accurate.send(signal.SIGCONT)
    await wait_for_trigger(fired)
    worker.crash_and_restart()


async def waiting_jobs(stack: ChaosStack) -> int:
    """The number of jobs in the backlog that no worker has claimed."""
    store = stack.store
    claimed = await store.redis.xpending(store.keys.backlog, WORKERS)
    return await store.backlog_length() - int(claimed["pending"])


async def suspend_past_lease(stack: ChaosStack) -> None:
    """The worker is suspended during Predict. The other one claims its jobs, and its late results are refused."""
    worker = stack.target_worker
    await wait_for_trigger(worker.model_link.stall_at(PNG, "request", forward=True))
    worker.process.send(signal.SIGSTOP)
    refused = worker.process.logged("late result refused")
    worker.model_link.restore()
    try:
        await asyncio.sleep(stack.lease_s * 2)
    finally:
        worker.process.send(signal.SIGCONT)
    await wait_until(lambda: worker.process.logged("late result refused") > refused)


async def kill_worker_with_shared_name(stack: ChaosStack) -> None:
    """Two workers have the same name and the same links; one of them is killed while it works."""
    process = stack.target_worker.process
    duplicate = process.variant(process.log.with_name(f"duplicate-{time.monotonic_ns()}"))
    duplicate.start()
    try:
        await wait_until(lambda: duplicate.logged("job finished"))
    finally:
        duplicate.kill()


FAULTS: Final = [
    Fault("worker killed after its claim", kill_after_claim),
    Fault("worker killed during Predict", kill_during_predict),
    Fault("worker killed before it records a result", kill_before_finish),
    Fault("worker killed between the jobs of a batch", kill_between_jobs_of_a_batch),
    Fault("worker killed between its two batches", kill_between_two_batches),
    Fault("worker suspended past its lease, then resumed", suspend_past_lease),
    Fault("two workers with the same name, one killed", kill_worker_with_shared_name),
]
