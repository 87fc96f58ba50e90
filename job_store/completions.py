"""Wakes those who wait for a job to end, whichever process ends it."""

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

QUIET: Final = timedelta(seconds=5)
"""Silence after which the connection is asked whether it is still one."""


class Completions:
    """One subscription a process, however many wait.

    A notification is only a hint to look again: what a waiter gets is what the store says. So one that is lost while
    the connection is down costs time, never an answer.
    """

    def __init__(self, redis: Redis, store: JobStore) -> None:
        self._redis = redis
        self._store = store
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def wait(self, job_id: str, timeout: timedelta) -> Job | None:
        """Return the job when it has ended, or as it is after `timeout`; None when there is no such job."""
        woken = asyncio.Event()
        self._waiters[job_id].add(woken)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                while (job := await self._store.find(job_id)) and not job.status.is_final:
                    await woken.wait()
                    woken.clear()
                return job
        except TimeoutError:
            return await self._store.find(job_id)
        finally:
            self._waiters[job_id].discard(woken)
            if not self._waiters[job_id]:
                del self._waiters[job_id]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Keep the subscription up for as long as the context lasts."""
        async with background_task(self._listen_for_ever()):
            yield

    async def _listen_for_ever(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                async with self._redis.pubsub() as subscription:
                    await self._listen(subscription)
            await asyncio.sleep(0.1)

    async def _listen(self, subscription: PubSub) -> None:
        with redis_errors():
            await subscription.subscribe(self._store.keys.ended)
        asked = False
        while True:
            with redis_errors():
                message = await subscription.get_message(timeout=QUIET.total_seconds())
                if message is None and asked:
                    raise TimeoutError("the subscription's connection is dead")
                if message is None:
                    await subscription.ping()
            asked = message is None
            if message and message["type"] == "subscribe":
                self._wake(*self._waiters)  # an end may have gone by unheard while nobody listened
            elif message and message["type"] == "message":
                self._wake(message["data"].decode(errors="replace"))  # anyone may say anything on the channel

    def _wake(self, *job_ids: str) -> None:
        for job_id in job_ids:
            for waiter in self._waiters.get(job_id, ()):
                waiter.set()
