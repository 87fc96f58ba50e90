"""One batch of claimed jobs: classifies their payloads, and finishes, fails or requeues each job.

Usually that takes one Predict. Errors are handled like this:

- The model rejects a payload, or does not respond before the deadline: the payloads are sent one by one. A job whose
  payload is rejected fails. A job whose payload is too slow on its own is requeued, and the attempt counts.
- The model does not fit the model contract or the settings: all jobs are requeued, and no attempt counts.
- The model is unavailable: the batch waits until it is available again, and no attempt counts. The payloads of the
  interrupted Predict are then sent one by one. If the model becomes unavailable during one of these, that job is
  requeued and the attempt counts: an image that crashes the model server becomes a dead letter after `max_attempts`
  and does not block all workers.
- The model is busy or breaks the model contract: the payloads are sent one by one, and each is retried for as long as
  one Predict may take (longer if no other job succeeds either). The job is then requeued and the attempt counts,
  because its payload may be the cause.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import service_log
from backend.retrier import Retrier, backoff_s
from job_store import Claim, JobStore, StoreUnavailable
from tf_serving_client import (
    Availability,
    Classifier,
    ContractState,
    InputRejected,
    ModelError,
    ModelMismatch,
    ModelTooSlow,
    ModelUnavailable,
    Prediction,
)

MAX_MODEL_PAUSE_S: Final = 1.0
"""Limits the pause between an error of the model and the next Predict. The length of each pause is random."""

MAX_OUTAGE_DEADLINES: Final = 10
"""If no job succeeds at all, a refused job is retried for this many Predict deadlines before its attempt counts."""


@dataclass(slots=True)
class BatchContext:
    """The objects and the state that all batches of a process share."""

    store: JobStore
    model: Classifier
    status: Availability
    retrier: Retrier
    check: ContractState
    last_success: float = -math.inf
    """The `time.monotonic()` of the last Predict that succeeded."""


class Batch:
    def __init__(self, claims: Sequence[Claim], context: BatchContext) -> None:
        self._context = context
        self._store, self._model, self._status = context.store, context.model, context.status
        self._retrier = context.retrier
        self.unfinished = {claim.job_id: claim for claim in claims}
        self._refused_since: dict[str, float] = {}
        # An earlier attempt may have crashed the model, so these jobs are sent one by one.
        self._suspects = {claim.job_id for claim in claims if claim.attempt > 1}
        first_attempts = [claim for claim in claims if claim.attempt == 1]
        self._groups = deque([first_attempts] if first_attempts else [])
        self._groups.extend([claim] for claim in claims if claim.attempt > 1)

    async def work(self) -> None:
        """Finish, fail or requeue each job. Returns early, with some jobs `unfinished`, if the worker is stopping."""
        try:
            await self._work()
        except ModelMismatch as error:
            for claim in tuple(self.unfinished.values()):
                await self._retrier.retry_until_stored(self._requeue, claim, False, str(error))

    async def _work(self) -> None:
        while self._groups and not self._retrier.is_stopping:
            group = self._groups.popleft()
            if self._is_lone_suspect(group):  # an outage that began before its Predict must not cost it an attempt
                await self._wait_until_available()
            started = time.perf_counter()
            try:
                predictions = await self._model.classify([claim.payload for claim in group])
            except (InputRejected, ModelTooSlow) as error:
                await self._isolate(group, error)
            except ModelUnavailable as error:
                await self._wait_for_model(group, error)
            except ModelMismatch:
                raise
            except ModelError as error:
                await self._retry_later(group, error)
            else:
                await self._finish(group, predictions, predict_ms=(time.perf_counter() - started) * 1000)

    async def requeue(self, *, counts: bool, reason: str) -> None:
        """Requeue the unfinished jobs. If Redis is unavailable, their leases expire instead."""
        try:
            for claim in tuple(self.unfinished.values()):
                await self._requeue(claim, counts, reason)
        except StoreUnavailable as error:
            service_log.get_logger().warning("requeue failed", jobs=[*self.unfinished], error=str(error))

    async def _finish(self, group: Sequence[Claim], predictions: Sequence[Prediction], predict_ms: float) -> None:
        """Record all predictions concurrently, so that they share a round trip to Redis."""
        self._context.last_success = time.monotonic()
        records = (
            self._record(claim, prediction, predict_ms=round(predict_ms, 1), batch=len(group))
            for claim, prediction in zip(group, predictions, strict=True)
        )
        outcomes = await asyncio.gather(*records, return_exceptions=True)
        for error in filter(None, outcomes):  # raised only now, when no other prediction is still being recorded
            raise error

    async def _record(self, claim: Claim, prediction: Prediction, *, predict_ms: float, batch: int) -> None:
        is_recorded = await self._retrier.retry_until_stored(self._store.finish, claim, prediction.as_answer())
        del self.unfinished[claim.job_id]
        service_log.get_logger().info(
            "job finished" if is_recorded else "late result refused",
            job=claim.job_id,
            model=prediction.model,
            label=prediction.label,
            waited_ms=claim.waited_ms,
            predict_ms=predict_ms,
            batch=batch,
            attempt=claim.attempt,
        )

    async def _isolate(self, group: Sequence[Claim], error: ModelError) -> None:
        """Find the payload that causes the error: split the group, or end the attempt of its only job."""
        if len(group) > 1:
            self._split(group)
        elif isinstance(error, InputRejected):
            await self._fail(group[0], error)
        elif await self._status.is_available():
            await self._requeue_counted(group[0], error)
        else:  # the model server hangs
            await self._wait_for_model(group, error)

    async def _wait_for_model(self, group: Sequence[Claim], error: ModelError) -> None:
        """Wait until the model is available again, then send the group's jobs one by one: each may be the cause."""
        service_log.get_logger().warning("model unavailable", model=error.model, jobs=len(group), error=str(error))
        if self._is_lone_suspect(group):
            await self._requeue_counted(group[0], error)
        else:
            self._suspects.update(claim.job_id for claim in group)
            self._split(group)
        await self._pause()
        await self._wait_until_available()

    async def _wait_until_available(self) -> None:
        """Raises `ModelMismatch` if another model is served meanwhile."""
        attempt = 1
        while not (self._retrier.is_stopping or await self._status.is_available()):
            if isinstance(self._context.check.problem, ModelMismatch):
                raise self._context.check.problem.with_traceback(None)
            await self._retrier.pause(backoff_s(attempt))
            attempt += 1

    async def _retry_later(self, group: Sequence[Claim], error: ModelError) -> None:
        """Send the group's jobs again, one by one and after the rest of the batch, until their time is up."""
        service_log.get_logger().warning("predict failed", model=error.model, jobs=len(group), error=str(error))
        if len(group) > 1:
            self._split(group)
        elif self._is_refused_too_long(group[0]):
            await self._requeue_counted(group[0], error)
        else:
            self._groups.append(list(group))
        await self._pause()

    def _is_lone_suspect(self, group: Sequence[Claim]) -> bool:
        return len(group) == 1 and group[0].job_id in self._suspects

    def _is_refused_too_long(self, claim: Claim) -> bool:
        """If other jobs have succeeded since, the payload is the likely cause, and one deadline is long enough."""
        now = time.monotonic()
        since = self._refused_since.setdefault(claim.job_id, now)
        deadlines = 1 if self._context.last_success > since else MAX_OUTAGE_DEADLINES
        return now - since > deadlines * self._model.deadline.total_seconds()

    def _split(self, claims: Iterable[Claim]) -> None:
        self._groups.extendleft([claim] for claim in reversed(list(claims)))

    async def _pause(self) -> None:
        await self._retrier.pause(random.uniform(0, MAX_MODEL_PAUSE_S))  # noqa: S311 (not a secret)

    async def _fail(self, claim: Claim, error: ModelError) -> None:
        await self._retrier.retry_until_stored(self._store.fail, claim, str(error))
        del self.unfinished[claim.job_id]
        service_log.get_logger().warning("job failed", job=claim.job_id, attempt=claim.attempt, error=str(error))

    async def _requeue_counted(self, claim: Claim, error: ModelError) -> None:
        await self._retrier.retry_until_stored(self._requeue, claim, True, str(error))

    async def _requeue(self, claim: Claim, counts: bool, reason: str) -> None:
        is_requeued = await self._store.requeue(claim, counts=counts)
        del self.unfinished[claim.job_id]
        event = "job requeued" if is_requeued else "late result refused"
        service_log.get_logger().info(event, job=claim.job_id, attempt=claim.attempt, counts=counts, reason=reason)
