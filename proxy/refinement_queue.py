"""Hands an image to the slow half, or finds that it can't be taken just now."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import service_log
from job_store import JobStore, QueueFull, StoreUnavailable
from tf_serving_client import Prediction

SLOWEST_BYTES_PER_S: Final = 20_000_000
"""A large image may take longer to hand over. Measured: 20 MiB took 0.24 to 0.54 s on a loaded machine of 2 cores."""


@dataclass(frozen=True, slots=True)
class Accepted:
    job_id: str


@dataclass(frozen=True, slots=True)
class Shed:
    """The fast answer is all there is. `reason` is `queue-full` or `queue-unavailable`."""

    reason: str


class Refinement:
    """The fast answer never waits for the slow half: `patience`, and no longer.

    A Redis that hangs would make each request wait for that long. So after one that did, the queue is left alone for
    `rest`, and one request at a time then tries whether it is back.
    """

    def __init__(self, store: JobStore, patience: timedelta, rest: timedelta) -> None:
        self._store = store
        self._patience_s = patience.total_seconds()
        self._rest_s = rest.total_seconds()
        self._resting_until = 0.0

    async def submit(self, image: bytes, provisional: Prediction) -> Accepted | Shed:
        now = time.monotonic()
        if now < self._resting_until:
            return Shed("queue-unavailable")
        if self._resting_until:
            self._resting_until = now + self._rest_s
        try:
            async with asyncio.timeout(self._patience_s + len(image) / SLOWEST_BYTES_PER_S):
                job_id = await self._store.submit(image, provisional.as_answer())
        except QueueFull:
            self._resting_until = 0.0  # that is an answer: Redis is there
            return Shed("queue-full")
        except (StoreUnavailable, TimeoutError) as error:
            self._resting_until = time.monotonic() + self._rest_s
            service_log.get_logger().warning(
                "queue unavailable", error=str(error) or "Redis is too slow", cooldown_s=self._rest_s
            )
            return Shed("queue-unavailable")
        self._resting_until = 0.0
        return Accepted(job_id)
