"""Queues jobs for the accurate model, behind a circuit breaker."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final, Literal, Protocol

import service_log
from job_store import Answer, QueueFull, StoreUnavailable
from tf_serving_client import Prediction

MIN_BYTES_PER_S: Final = 20_000_000
"""Extends the timeout for a large image. Measured: 20 MiB took 0.24 to 0.54 s on a loaded machine with 2 cores."""


@dataclass(frozen=True, slots=True)
class Accepted:
    job_id: str

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Link": f'</job/{self.job_id}>; rel="monitor"'}


@dataclass(frozen=True, slots=True)
class Shed:
    """The job was not queued: the fast model's label is the only answer."""

    reason: Literal["queue-full", "queue-unavailable"]
    job_id: ClassVar[None] = None

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Refinement": f"shed; reason={self.reason}"}


class Store(Protocol):
    """The part of `JobStore` that is used here."""

    async def submit(self, payload: bytes, provisional: Answer) -> str:
        """Return the job id. Raises `QueueFull` and `StoreUnavailable`."""


class RefinementQueue:
    """Submits jobs to the store, and never delays the fast answer by much more than `timeout`.

    While Redis hangs, every request would wait for the timeout. So one failure opens the circuit breaker, and jobs are
    shed immediately for `cooldown`. After that, one request per `cooldown` tries the store, and the first response
    closes the circuit breaker.
    """

    def __init__(self, store: Store, timeout: timedelta, cooldown: timedelta) -> None:
        self._store = store
        self._timeout_s = timeout.total_seconds()
        self._cooldown_s = cooldown.total_seconds()
        self._open_until = 0.0
        """0 while the circuit breaker is closed."""

    async def submit(self, image: bytes, provisional: Prediction) -> Accepted | Shed:
        now = time.monotonic()
        if now < self._open_until:
            return Shed("queue-unavailable")
        if self._open_until:
            self._open_until = now + self._cooldown_s  # other requests are shed while this one tries
        try:
            async with asyncio.timeout(self._timeout_s + len(image) / MIN_BYTES_PER_S):
                job_id = await self._store.submit(image, provisional.as_answer())
        except QueueFull:
            self._open_until = 0.0  # Redis has responded
            return Shed("queue-full")
        except (StoreUnavailable, TimeoutError) as error:
            self._open_until = time.monotonic() + self._cooldown_s
            service_log.get_logger().warning(
                "queue unavailable", error=str(error) or "Redis did not respond in time", cooldown_s=self._cooldown_s
            )
            return Shed("queue-unavailable")
        self._open_until = 0.0
        return Accepted(job_id)
