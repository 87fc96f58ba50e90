"""Queues jobs for the accurate model, behind a circuit breaker."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final, Literal, Protocol

import service_log
from job_store import Answer, Owner, QueueFull, QuotaExceeded, StoreUnavailable, new_job_id
from tf_serving_client import Prediction

MIN_BYTES_PER_S: Final = 4_000_000
"""Extends the timeout for a large image: a third of what a network of 100 Mbit/s carries."""
MAX_SMALL_BYTES: Final = 1 << 20
"""Larger images are submitted one at a time, because they delay the others. Most images become smaller JPEGs before."""
MAX_SLOW_SUBMITS: Final = 3
"""Submits of small images in a row that time out, although Redis responds, before the circuit breaker opens."""


@dataclass(frozen=True, slots=True)
class Accepted:
    job_id: str

    def headers(self, root_path: str) -> Mapping[str, str]:
        return {"Link": f'<{root_path}/job/{self.job_id}>; rel="monitor"'}


@dataclass(frozen=True, slots=True)
class Shed:
    """The job was not queued: the fast model's label is the only answer."""

    reason: Literal["queue-full", "queue-unavailable", "quota-exceeded"]
    job_id: ClassVar[None] = None

    def headers(self, root_path: str) -> Mapping[str, str]:
        return {"Refinement": f"shed; reason={self.reason}"}


class Store(Protocol):
    """The part of `JobStore` that is used here."""

    async def submit(self, payload: bytes, provisional: Answer, job_id: str, owner: Owner | None) -> str:
        """Return the job id. Raises `QueueFull`, `QuotaExceeded` and `StoreUnavailable`."""

    async def withdraw(self, job_id: str) -> bool:
        """Return whether the job was accepted; otherwise it never will be. Raises `StoreUnavailable`."""


class RefinementQueue:
    """Submits jobs to the store, and delays the fast answer of a small image by at most twice `timeout`.

    After a submit fails, a second, small command asks Redis whether it has the job, and makes it refuse the job if it
    arrives later. So it is known whether the job is queued, unless that command fails too: then the circuit breaker
    opens, because all requests would wait while Redis hangs. Jobs are shed immediately for `cooldown`. After that,
    one request per `cooldown` tries the store, and the first response closes the circuit breaker.
    """

    def __init__(self, store: Store, timeout: timedelta, cooldown: timedelta, large_store: Store | None = None) -> None:
        """`large_store` is the same store, over connections that allow a large image the time that it needs."""
        self._store = store
        self._large_store = large_store or store
        self._large_limit = asyncio.Semaphore(1)
        self._timeout_s = timeout.total_seconds()
        self._cooldown_s = cooldown.total_seconds()
        self._slow_submits = 0
        self._open_until = 0.0
        """0 while the circuit breaker is closed."""

    async def submit(self, image: bytes, provisional: Prediction, owner: Owner | None = None) -> Accepted | Shed:
        now = time.monotonic()
        if now < self._open_until:
            return Shed("queue-unavailable")
        if self._open_until:
            self._open_until = now + self._cooldown_s  # other requests are shed while this one tries
        job_id, is_large = new_job_id(), len(image) > MAX_SMALL_BYTES
        try:
            async with asyncio.timeout(self._timeout_s + len(image) / MIN_BYTES_PER_S):
                if is_large:
                    async with self._large_limit:
                        job_id = await self._large_store.submit(image, provisional.as_answer(), job_id, owner)
                else:
                    job_id = await self._store.submit(image, provisional.as_answer(), job_id, owner)
        except QueueFull:
            self._close()
            return Shed("queue-full")
        except QuotaExceeded:
            self._close()
            return Shed("quota-exceeded")
        except (StoreUnavailable, TimeoutError) as error:
            return await self._recover(job_id, error, is_large)
        self._close()
        return Accepted(job_id)

    async def _recover(self, job_id: str, error: Exception, is_large: bool) -> Accepted | Shed:
        """Find out whether Redis has accepted the job although its submit failed."""
        try:
            async with asyncio.timeout(self._timeout_s):
                is_accepted = await self._store.withdraw(job_id)
        except (StoreUnavailable, TimeoutError) as withdraw_error:
            self._open(withdraw_error)
            return Shed("queue-unavailable")
        slow_submits = self._slow_submits + (not is_large)
        self._close()
        self._slow_submits = slow_submits
        if slow_submits >= MAX_SLOW_SUBMITS:
            self._open(error)
        return Accepted(job_id) if is_accepted else Shed("queue-unavailable")

    def _close(self) -> None:
        """Redis has responded."""
        self._open_until = 0.0
        self._slow_submits = 0

    def _open(self, error: Exception) -> None:
        self._slow_submits = 0
        self._open_until = time.monotonic() + self._cooldown_s
        service_log.get_logger().warning(
            "queue unavailable", error=str(error) or "Redis did not respond in time", cooldown_s=self._cooldown_s
        )
