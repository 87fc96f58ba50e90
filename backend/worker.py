"""The worker's loops: each claims a batch of jobs, works on it, and claims the next."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import service_log
from backend.batch import Batch, BatchContext
from backend.claim_limit import ClaimLimit
from backend.heartbeat import heartbeat
from backend.retrier import backoff_s
from backend.shared_lock import SharedLock
from job_store import BacklogListener, Claim, ClaimResult, StoreUnavailable

ERROR_PAUSE_S: Final = 1.0
"""Pause after an unexpected error, so that an error in every batch does not flood the log."""


class Worker:
    """Works on up to `concurrency` batches at a time.

    A job whose lease has expired may have killed its worker. It is claimed and worked on while this process has no
    other job, so that it costs no other job an attempt.
    """

    def __init__(
        self, context: BatchContext, listener: BacklogListener, *, batch_size: int, batch_bytes: int, concurrency: int
    ) -> None:
        self._context = context
        self._listener = listener
        self._limit = ClaimLimit(batch_size, batch_bytes)
        self._concurrency = concurrency
        self._lock = SharedLock()
        self._late_claims = 0
        """In a row."""

    async def run(self, stopping: asyncio.Event, grace: timedelta) -> None:
        """Work until `stopping` is set. Claimed batches then have `grace` to finish; unfinished jobs are requeued."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._work_until_stopping()) for _ in range(self._concurrency)]
            await stopping.wait()
            service_log.get_logger().info("worker stopping", grace_s=grace.total_seconds())
            await asyncio.wait(tasks, timeout=grace.total_seconds())
            for task in tasks:
                task.cancel()

    async def _work_until_stopping(self) -> None:
        retrier, recover = self._context.retrier, False
        while not retrier.is_stopping:
            async with self._lock.exclusive() if recover else self._lock.shared():
                await retrier.wait_or_stop(self._context.check.wait_until_fits())
                result = None if retrier.is_stopping else await retrier.retry(self._claim, recover)
                if result and result.claims:
                    await self._work(result.claims)
            if not result:
                break
            recover = result.has_expired_leases or (recover and bool(result.claims))
            if result.was_late:
                await self._pause_after_late_claim()
            elif not (result.claims or recover):
                with suppress(StoreUnavailable):  # the next claim finds Redis unavailable too, and is retried
                    await retrier.wait_or_stop(self._listener.wait(result.last_entry))

    async def _claim(self, recover: bool) -> ClaimResult:
        store, limit = self._context.store, self._limit
        try:
            result = await (store.reclaim() if recover else store.claim(limit.jobs, max_bytes=limit.bytes))
        except StoreUnavailable:
            limit.shrink()
            raise
        for job_id, error in result.failed:
            service_log.get_logger().warning("job failed", job=job_id, error=error)
        if not recover and result.claims:
            limit.grow()
        self._late_claims = self._late_claims + 1 if result.was_late else 0
        return result

    async def _pause_after_late_claim(self) -> None:
        validity_s = self._context.store.policy.claim_validity.total_seconds()
        error = f"the claim reached Redis more than {validity_s:g} s late: check the network, or increase REDIS_TIMEOUT"
        service_log.get_logger().warning("claim expired", attempt=self._late_claims, error=error)
        await self._context.retrier.pause(backoff_s(self._late_claims))

    async def _work(self, claims: list[Claim]) -> None:
        batch = Batch(claims, self._context)
        async with heartbeat(self._context.store, batch.unfinished):
            try:
                await batch.work()
            except Exception as error:
                service_log.get_logger().error("batch failed", jobs=[*batch.unfinished], exc_info=error)
                await batch.requeue(counts=True, reason=repr(error))
                await self._context.retrier.pause(ERROR_PAUSE_S)
            finally:
                await batch.requeue(counts=False, reason="the worker is stopping")
