"""The worker: a few lanes, each claiming a batch, having it classified, and claiming the next."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import service_log
from backend.batch import Batch, Means
from backend.lease import held
from job_store import BacklogListener, Claim, StoreUnavailable

AFTER_A_FAULT_S: Final = 1.0
"""So that a fault that comes with every batch does not fill the log."""


class Worker:
    def __init__(self, means: Means, bell: BacklogListener, *, batch_size: int, lanes: int) -> None:
        self._means = means
        self._bell = bell
        self._batch_size = batch_size
        self._lanes = lanes

    async def run(self, stopping: asyncio.Event, grace: timedelta) -> None:
        """Work until `stopping` is set; then what is in hand may take `grace`, and what is left is given back."""
        async with asyncio.TaskGroup() as lanes:
            working = [lanes.create_task(self._lane()) for _ in range(self._lanes)]
            await stopping.wait()
            service_log.get_logger().info("worker stopping", grace_s=grace.total_seconds())
            await asyncio.wait(working, timeout=grace.total_seconds())
            for lane in working:
                lane.cancel()

    async def _lane(self) -> None:
        store, patience = self._means.store, self._means.patience
        while not patience.is_over:
            result = await patience.while_running(store.claim, self._batch_size)
            if result and result.claims:
                await self._work(result.claims)
            elif result:
                with suppress(StoreUnavailable):  # the next claim will find out, and wait
                    await patience.unless_stopped(self._bell.wait(result.last_entry))

    async def _work(self, claims: list[Claim]) -> None:
        batch = Batch(claims, self._means)
        async with held(self._means.store, batch.unfinished):
            try:
                await batch.work()
            except Exception as error:
                service_log.get_logger().error("batch failed", jobs=[*batch.unfinished], exc_info=error)
                await batch.requeue(counts=True, reason=repr(error))
                await self._means.patience.pause(AFTER_A_FAULT_S)
            finally:
                await batch.requeue(counts=False, reason="the worker stops")
