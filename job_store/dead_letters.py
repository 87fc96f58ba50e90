"""Failed jobs, kept with their payloads to be looked at, replayed or discarded."""

from collections.abc import Sequence
from typing import cast

from redis.asyncio import Redis

from job_store.connection import redis_errors
from job_store.job import Job
from job_store.pipelining import Pipelining
from job_store.scripts import Script
from job_store.store import JobStore


class DeadLetters:
    def __init__(self, redis: Redis, store: JobStore) -> None:
        self._redis = redis
        self._store = store
        pipelining = Pipelining(redis)
        self._replay = Script(pipelining, "replay")
        self._discard = Script(pipelining, "discard")

    async def list(self, limit: int = 100) -> Sequence[Job]:
        """Newest first. Those that have expired meanwhile are left out, and forgotten."""
        with redis_errors():
            members = cast(list[bytes], await self._redis.zrevrange(self._store.keys.dead_letters, 0, limit - 1))
        found = []
        for job_id in (member.decode() for member in members):
            job = await self._store.find(job_id)
            if job is None:
                await self.discard(job_id)
            else:
                found.append(job)
        return found

    async def payload(self, job_id: str) -> bytes | None:
        """The payload of a dead letter; None when it is gone."""
        with redis_errors():
            return cast(bytes | None, await self._redis.get(self._store.keys.payload(job_id)))

    async def replay(self, job_id: str) -> bool:
        """Queue the job again, under its id and with all its attempts. False: no such letter, or its payload is gone."""
        keys = self._store.keys
        pending_ttl_ms = int(self._store.policy.pending_ttl.total_seconds() * 1000)
        with redis_errors():
            return bool(
                await self._replay.run(
                    [keys.job(job_id), keys.payload(job_id), keys.backlog, keys.dead_letters], [job_id, pending_ttl_ms]
                )
            )

    async def discard(self, job_id: str) -> bool:
        """Drop the payload and take the job off the list; the job stays failed. False: no such letter."""
        with redis_errors():
            return bool(
                await self._discard.run([self._store.keys.payload(job_id), self._store.keys.dead_letters], [job_id])
            )
