"""The worker's loops: each claims a batch of jobs, works on it, and claims the next."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import service_log
from backend.batch import Batch, BatchContext
from backend.heartbeat import heartbeat
from job_store import BacklogListener, Claim, StoreUnavailable

ERROR_PAUSE_S: Final = 1.0
"""Pause after an unexpected error, so that an error in every batch does not flood the log."""


class Worker:
    """Works on up to `concurrency` batches of up to `batch_size` jobs at a time."""

    def __init__(self, context: BatchContext, listener: BacklogListener, *, batch_size: int, concurrency: int) -> None:
        self._context = context
        self._listener = listener
        self._batch_size = batch_size
        self._concurrency = concurrency

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
        store, retrier = self._context.store, self._context.retrier
        while not retrier.is_stopping:
            result = await retrier.retry(store.claim, self._batch_size)
            if result and result.claims:
                await self._work(result.claims)
            elif result:
                with suppress(StoreUnavailable):  # the next claim finds Redis unavailable too, and is retried
                    await retrier.wait_or_stop(self._listener.wait(result.last_entry))

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
