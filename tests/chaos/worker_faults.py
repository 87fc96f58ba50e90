"""A worker is killed at each step of a job, or sleeps past its lease. Each function waits until the step is reached."""

import asyncio
import signal
import time
from typing import Final

from harness.waiting import wait_until
from job_store.keys import WORKERS
from tests.chaos.fault import Fault, reached
from tests.chaos.service import BATCH_SIZE, LEASE_S, Service
from tests.chaos.small_models import PNG

FINISH: Final = b"succeeded"
"""What is in the command that records an answer, and in no other."""


async def is_killed_after_its_claim(service: Service) -> None:
    """Redis has given it a batch, which it never hears of."""
    worker = service.victim
    await reached(worker.to_redis.stop_at(PNG, "answer", delivered=False))
    worker.lose()


async def is_killed_during_predict(service: Service) -> None:
    """The model has the images, and nobody to answer."""
    worker = service.victim
    await reached(worker.to_model.stop_at(PNG, "request", delivered=True))
    worker.lose()


async def is_killed_before_finish(service: Service) -> None:
    """It has the answers, and Redis none of them."""
    worker = service.victim
    await reached(worker.to_redis.stop_at(FINISH, "request", delivered=False))
    worker.lose()


async def is_killed_between_the_jobs_of_a_batch(service: Service) -> None:
    """Redis has recorded the first answer of a batch, has a part of the second, and the worker does not know."""
    worker = service.victim
    await reached(worker.to_redis.stop_at(FINISH, "request", delivered=True, once=True))
    worker.lose()


async def is_killed_between_the_two_batches_in_flight(service: Service) -> None:
    """Both batches are at the model; one of them comes back, and its first answer is recorded."""
    worker = service.victim

    async def has_both_in_flight() -> bool:
        """More than a batch waits, and nobody claims it: each lane of each worker has one at the model."""
        return await waiting(service) > BATCH_SIZE

    service.accurate.send(signal.SIGSTOP)
    try:
        await wait_until(has_both_in_flight)
        recording = worker.to_redis.stop_at(FINISH, "request", delivered=True, once=True)
    finally:
        service.accurate.send(signal.SIGCONT)
    await reached(recording)
    worker.lose()


async def waiting(service: Service) -> int:
    """How many jobs nobody holds."""
    store = service.store
    held = await store.redis.xpending(store.keys.backlog, WORKERS)
    return await store.backlog_length() - int(held["pending"])


async def sleeps_past_its_lease(service: Service) -> None:
    """Its batch is at the model when it stops; others take it over; it wakes, and its late answers are refused."""
    worker = service.victim
    await reached(worker.to_model.stop_at(PNG, "request", delivered=True))
    worker.process.send(signal.SIGSTOP)
    refused = worker.process.logged("late result refused")
    worker.to_model.restore()
    try:
        await asyncio.sleep(LEASE_S * 2)
    finally:
        worker.process.send(signal.SIGCONT)
    await wait_until(lambda: worker.process.logged("late result refused") > refused)


async def has_a_twin_that_is_killed(service: Service) -> None:
    """Two workers of one name, over the same connections to the same names; one of them is killed in mid-batch."""
    own = service.victim.process
    twin = own.variant(own.log.with_name(f"twin-{time.monotonic_ns()}"))
    twin.start()
    try:
        await wait_until(lambda: twin.logged("job finished"))
    finally:
        twin.kill()


FAULTS: Final = [
    Fault("worker killed after its claim", is_killed_after_its_claim),
    Fault("worker killed during Predict", is_killed_during_predict),
    Fault("worker killed before it records", is_killed_before_finish),
    Fault("worker killed between the jobs of a batch", is_killed_between_the_jobs_of_a_batch),
    Fault("worker killed between its two batches", is_killed_between_the_two_batches_in_flight),
    Fault("worker stopped past its lease, then goes on", sleeps_past_its_lease),
    Fault("worker with a twin of its name, killed", has_a_twin_that_is_killed),
]
