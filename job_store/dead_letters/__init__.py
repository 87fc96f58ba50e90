"""Failed jobs, kept with their payloads so that an operator can inspect, replay or discard them."""

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
        self._replay = Script(pipelining, "replay", libraries=["owned_jobs"])
        self._discard = Script(pipelining, "discard")

    async def list(self, limit: int | None = 100) -> Sequence[Job]:
        """Return the newest dead letters first, all of them when `limit` is None. Removes those that have expired."""
        last = -1 if limit is None else limit - 1
        with redis_errors():
            members = cast(list[bytes], await self._redis.zrevrange(self._store.keys.dead_letters, 0, last))
        jobs = []
        for job_id in (member.decode() for member in members):
            job = await self._store.find(job_id)
            if job is None:
                await self.discard(job_id)
            else:
                jobs.append(job)
        return jobs

    async def find(self, job_id: str) -> Job | None:
        """Read the job of a dead letter; None when there is no such dead letter, or it has expired."""
        with redis_errors():
            failed_at = await self._redis.zscore(self._store.keys.dead_letters, job_id)
        return None if failed_at is None else await self._store.find(job_id)

    async def payload(self, job_id: str) -> bytes | None:
        """Read the payload of a dead letter; None when it is no longer stored."""
        with redis_errors():
            return cast(bytes | None, await self._redis.get(self._store.keys.payload(job_id)))

    async def replay(self, job_id: str) -> bool:
        """Queue the job again under the same id, with all its attempts.

        False when there is no such dead letter, or its payload is no longer stored.
        """
        keys = self._store.keys
        pending_ttl_ms = int(self._store.policy.pending_ttl.total_seconds() * 1000)
        with redis_errors():
            return bool(
                await self._replay.run(
                    [keys.job(job_id), keys.payload(job_id), keys.backlog, keys.dead_letters],
                    [job_id, pending_ttl_ms, keys.root],
                )
            )

    async def discard(self, job_id: str) -> bool:
        """Delete the payload and the dead letter; the job remains failed. False when there is no such dead letter."""
        with redis_errors():
            return bool(
                await self._discard.run([self._store.keys.payload(job_id), self._store.keys.dead_letters], [job_id])
            )
