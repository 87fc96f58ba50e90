"""Wakes the callers that wait for a job to end, in whichever process it ends."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from background_task import background_task
from job_store.connection import redis_errors
from job_store.errors import StoreUnavailable
from job_store.job import Job
from job_store.store import JobStore

PING_INTERVAL: Final = timedelta(seconds=5)
"""After this long without a message the connection is pinged, and after this long without a pong it is replaced."""

RECONNECT_INTERVAL_S: Final = 0.1


class Completions:
    """Shares one subscription among all waiting callers of a process.

    A notification only makes a caller read its job again, and each new subscription does so for all callers. A
    notification that is lost with a connection therefore delays a result but cannot lose it.
    """

    def __init__(self, redis: Redis, store: JobStore) -> None:
        self._redis = redis
        self._store = store
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def wait(self, job_id: str, timeout: timedelta) -> Job | None:
        """Return the job when it has ended, or as it is after `timeout`; None when there is no such job."""
        notification = asyncio.Event()
        self._waiters[job_id].add(notification)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                while (job := await self._store.find(job_id)) and not job.status.is_final:
                    await notification.wait()
                    notification.clear()
                return job
        except TimeoutError:
            return await self._store.find(job_id)
        finally:
            self._waiters[job_id].discard(notification)
            if not self._waiters[job_id]:
                del self._waiters[job_id]

    @asynccontextmanager
    async def subscription(self) -> AsyncIterator[None]:
        """Receive notifications for as long as the context lasts."""
        async with background_task(self._resubscribe_forever()):
            yield

    async def _resubscribe_forever(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                async with self._redis.pubsub() as pubsub:
                    await self._receive(pubsub)
            await asyncio.sleep(RECONNECT_INTERVAL_S)

    async def _receive(self, pubsub: PubSub) -> None:
        with redis_errors():
            await pubsub.subscribe(self._store.keys.ended)
        awaits_pong = False
        while True:
            with redis_errors():
                message = await pubsub.get_message(timeout=PING_INTERVAL.total_seconds())
                if message is None and awaits_pong:
                    raise TimeoutError("no pong on the subscription's connection")
                if message is None:
                    await pubsub.ping()
            awaits_pong = message is None
            if message and message["type"] == "subscribe":
                self._notify(*self._waiters)  # jobs may have ended while there was no subscription
            elif message and message["type"] == "message":
                # Any client can publish on the channel, so the data may be no id and no UTF-8.
                self._notify(message["data"].decode(errors="replace"))

    def _notify(self, *job_ids: str) -> None:
        for job_id in job_ids:
            for notification in self._waiters.get(job_id, ()):
                notification.set()
