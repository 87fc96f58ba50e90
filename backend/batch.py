"""One batch of claimed jobs, from the model to an end for each.

Normally that is one Predict. It is several when an image is bad or the model is lost:

- An image that the model rejects fails the Predict of all of them. Asked one by one, only the guilty one fails.
- A model that is away costs no attempt: the batch waits until it is back. What was being asked when it went is then
  asked one by one, and an image that loses the model again is given back with its attempt spent. So what kills the
  model is a dead letter after `max_attempts`, and not the end of every worker.
- A model that is there and refuses, because it has too much to do, or answers nonsense, is asked again, for each job by
  itself, for as long as one Predict may take. After that the attempt is spent: it may be the image.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import service_log
from backend.retrier import Patience
from job_store import Claim, JobStore, StoreUnavailable
from tf_serving_client import (
    Availability,
    Classifier,
    ImageRejected,
    ModelError,
    ModelTooSlow,
    ModelUnavailable,
    Prediction,
)

LONGEST_REST_S: Final = 1.0
"""Of a model that refuses, before it is asked again. Each is of random length."""


REFUSING_ALL: Final = 10
"""Times the deadline of one Predict that a model may refuse everybody before that costs an attempt."""


@dataclass(slots=True)
class Pulse:
    """When the model last answered any batch of this process, by `time.monotonic`."""

    last_answer: float = -math.inf


@dataclass(frozen=True, slots=True)
class Means:
    """What a batch is worked on with."""

    store: JobStore
    model: Classifier
    status: Availability
    patience: Patience
    pulse: Pulse = field(default_factory=Pulse)


class Batch:
    def __init__(self, claims: Sequence[Claim], means: Means) -> None:
        self._store, self._model, self._status, self._patience = means.store, means.model, means.status, means.patience
        self._pulse = means.pulse
        self.unfinished = {claim.job_id: claim for claim in claims}
        self._refused_since: dict[str, float] = {}
        # What was lost once goes alone: should it lose the model again, it takes nobody with it.
        self._suspects = {claim.job_id for claim in claims if claim.attempt > 1}
        together = [claim for claim in claims if claim.attempt == 1]
        self._groups = deque([together] if together else [])
        self._groups.extend([claim] for claim in claims if claim.attempt > 1)

    async def work(self) -> None:
        """Bring each job to an end. Returns early, with some `unfinished`, when the worker is to stop."""
        while self._groups and not self._patience.is_over:
            group = self._groups.popleft()
            if self._is_lone_suspect(group):  # it must not pay for a model that was away before it came
                await self._patience.until_true(self._status.is_available)
            started = time.perf_counter()
            try:
                predictions = await self._model.classify([claim.payload for claim in group])
            except (ImageRejected, ModelTooSlow) as error:
                await self._isolate(group, error)
            except ModelUnavailable as error:
                await self._outlast(group, error)
            except ModelError as error:
                await self._insist(group, error)
            else:
                await self._finish(group, predictions, predict_ms=(time.perf_counter() - started) * 1000)

    async def requeue(self, *, counts: bool, reason: str) -> None:
        """Return what is not done to the queue. Where Redis is away, the leases run out instead."""
        try:
            for claim in tuple(self.unfinished.values()):
                await self._return(claim, counts, reason)
        except StoreUnavailable as error:
            service_log.get_logger().warning("jobs not requeued", jobs=[*self.unfinished], error=str(error))

    async def _finish(self, group: Sequence[Claim], predictions: Sequence[Prediction], predict_ms: float) -> None:
        """All at once, so that they share a round trip to Redis."""
        self._pulse.last_answer = time.monotonic()
        told = {"predict_ms": round(predict_ms, 1), "batch": len(group)}
        answered = zip(group, predictions, strict=True)
        recording = (self._record(claim, prediction, **told) for claim, prediction in answered)
        outcomes = await asyncio.gather(*recording, return_exceptions=True)
        for fault in filter(None, outcomes):  # now that none is under way any more
            raise fault

    async def _record(self, claim: Claim, prediction: Prediction, **told: float) -> None:
        recorded = await self._patience.until_stored(self._store.finish, claim, prediction.as_answer())
        del self.unfinished[claim.job_id]
        service_log.get_logger().info(
            "job finished" if recorded else "late result refused",
            job=claim.job_id,
            model=prediction.model,
            label=prediction.label,
            waited_ms=claim.waited_ms,
            **told,
            attempt=claim.attempt,
        )

    async def _isolate(self, group: Sequence[Claim], error: ModelError) -> None:
        """Some image of the group is to blame: find out which; and where that is known, let it bear it."""
        if len(group) > 1:
            self._separately(group)
            return
        [claim] = group
        if isinstance(error, ModelTooSlow):
            if await self._status.is_available():
                await self._patience.until_stored(self._return, claim, True, str(error))
            else:  # not slow: hung
                await self._outlast(group, error)
            return
        await self._patience.until_stored(self._store.fail, claim, str(error))
        del self.unfinished[claim.job_id]
        service_log.get_logger().warning("job failed", job=claim.job_id, attempt=claim.attempt, error=str(error))

    async def _outlast(self, group: Sequence[Claim], error: ModelError) -> None:
        """The model is away: wait until it is back, then go on where it was lost."""
        service_log.get_logger().warning("model unavailable", model=error.model, jobs=len(group), error=str(error))
        if self._is_lone_suspect(group):
            await self._patience.until_stored(self._return, group[0], True, str(error))
        else:
            self._suspects.update(claim.job_id for claim in group)
            self._separately(group)
        await self._patience.pause(random.uniform(0, LONGEST_REST_S))  # noqa: S311 (no secret)
        await self._patience.until_true(self._status.is_available)

    async def _insist(self, group: Sequence[Claim], error: ModelError) -> None:
        """The model is there and refuses: ask again, the others of the batch first, but not for ever.

        Where others get their answers meanwhile, it is the image, and `deadline` is long enough. Where nobody does, it
        is the model, and healthy jobs are not to pay for it soon.
        """
        service_log.get_logger().warning("predict failed", model=error.model, jobs=len(group), error=str(error))
        if len(group) > 1:
            self._separately(group)
        elif self._has_been_refused_for_long(group[0]):
            await self._patience.until_stored(self._return, group[0], True, str(error))
        else:
            self._groups.append([*group])
        await self._patience.pause(random.uniform(0, LONGEST_REST_S))  # noqa: S311 (no secret)

    def _is_lone_suspect(self, group: Sequence[Claim]) -> bool:
        return len(group) == 1 and group[0].job_id in self._suspects

    def _has_been_refused_for_long(self, claim: Claim) -> bool:
        now = time.monotonic()
        since = self._refused_since.setdefault(claim.job_id, now)
        patience_s = self._model.deadline.total_seconds()
        return now - since > (patience_s if self._pulse.last_answer > since else REFUSING_ALL * patience_s)

    def _separately(self, claims: Iterable[Claim]) -> None:
        self._groups.extendleft([claim] for claim in reversed(list(claims)))

    async def _return(self, claim: Claim, counts: bool, reason: str) -> None:
        returned = await self._store.requeue(claim, counts=counts)
        del self.unfinished[claim.job_id]
        event = "job requeued" if returned else "late result refused"
        service_log.get_logger().info(event, job=claim.job_id, attempt=claim.attempt, counts=counts, reason=reason)
