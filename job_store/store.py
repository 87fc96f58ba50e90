"""The job store: where an accepted job is until its answer is fetched.

Every transition is one Lua script and names the attempt it belongs to (`Claim.token`), so it happens whole or not at
all, and a worker that was thought dead cannot overwrite what came after it.
"""

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from job_store.connection import redis_errors
from job_store.errors import QueueFull, StoreUnavailable
from job_store.job import Answer, Claim, Job, JobStatus
from job_store.keys import WORKERS, Keys
from job_store.pipelining import Pipelining, Word
from job_store.policy import Policy
from job_store.scripts import Script

CLAIM_VALIDITY: Final = timedelta(seconds=1)
"""Redis executes no claim later than this after it was sent: whoever sent it may not be waiting any more. Shorter than
any sensible time-out of a worker's connection."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What one claim brought, and where the backlog stood: `last_entry` is what to wait for when it brought nothing."""

    claims: list[Claim]
    last_entry: str


class JobStore:
    """Jobs in Redis. Each method raises `StoreUnavailable` when Redis does not answer in time."""

    def __init__(self, redis: Redis, policy: Policy | None = None, keys: Keys | None = None) -> None:
        self.redis = redis
        self.policy = policy or Policy()
        self.keys = keys or Keys()
        pipelining = Pipelining(redis)
        self._submit = Script(pipelining, "submit")
        self._claim = Script(pipelining, "claim")
        self._end = Script(pipelining, "end")
        self._requeue = Script(pipelining, "requeue")
        self._extend = Script(pipelining, "extend")

    async def submit(self, payload: bytes, provisional: Answer) -> str:
        """Accept a job and return its id: 96 random bits as 24 hexadecimal digits.

        Once this returns, Redis has the job. Raises `QueueFull` when the backlog or Redis's memory has no room.
        """
        answer = _json(provisional)
        while True:
            job_id = secrets.token_hex(12)
            keys = [self.keys.job(job_id), self.keys.payload(job_id), self.keys.backlog]
            args: list[Word] = [job_id, payload, answer, self.policy.max_backlog, _ms(self.policy.pending_ttl)]
            with redis_errors():
                verdict = await self._submit.run(keys, args)
            if verdict == b"accepted":
                return job_id
            if verdict == b"full":
                raise QueueFull("the queue has no room for another job: try again when workers have caught up")

    async def claim(self, count: int) -> ClaimResult:
        """Take up to `count` jobs, oldest first, those whose lease ran out before all others. Does not wait.

        A job whose attempts are used up is not handed out: it fails here.
        """
        policy = self.policy
        lease_ms, pending_ttl_ms = _ms(policy.lease), _ms(policy.pending_ttl)
        args: list[Word] = [self.keys.root, WORKERS, count, lease_ms, policy.max_attempts, pending_ttl_ms]
        with redis_errors():
            seconds, microseconds = await self.redis.time()
            valid_until_ms = seconds * 1000 + microseconds // 1000 + _ms(CLAIM_VALIDITY)
            taken, last_entry = await self._claim.run([self.keys.backlog], [*args, valid_until_ms])
        claims = []
        for job_id, token, attempt, waited_ms, payload in taken:
            claim = Claim(job_id.decode(), token, attempt, waited_ms, payload)
            if attempt > policy.max_attempts:
                await self._give_up(claim, f"gave up after {policy.max_attempts} attempts: none of them came to an end")
            elif not payload:
                await self._give_up(claim, "the payload is no longer stored")
            else:
                claims.append(claim)
        return ClaimResult(claims, last_entry.decode())

    async def finish(self, claim: Claim, output: Answer) -> bool:
        """Record the answer. False when the attempt is outdated: its answer is not wanted any more."""
        return await self._record_end(claim, JobStatus.SUCCEEDED, "output", _json(output))

    async def fail(self, claim: Claim, error: str) -> bool:
        """Record that there will be no answer, and why. The job becomes a dead letter. False as in `finish`."""
        return await self._record_end(claim, JobStatus.FAILED, "error", error)

    async def requeue(self, claim: Claim, *, counts: bool) -> bool:
        """Put the job back at the end of the backlog. `counts`: whether this attempt is one of its `max_attempts`."""
        keys = [self.keys.job(claim.job_id), self.keys.backlog]
        args: list[Word] = [claim.job_id, claim.token, 0 if counts else 1, WORKERS, _ms(self.policy.pending_ttl)]
        with redis_errors():
            return bool(await self._requeue.run(keys, args))

    async def extend(self, claim: Claim) -> bool:
        """Start the lease anew. False when the attempt is outdated: there is no use in going on with it."""
        with redis_errors():
            return bool(
                await self._extend.run([self.keys.job(claim.job_id), self.keys.backlog], [claim.token, WORKERS])
            )

    async def find(self, job_id: str) -> Job | None:
        """Read a job; None when there is none, or no longer."""
        key = self.keys.job(job_id)
        with redis_errors():
            # No MULTI: Redis whose memory is full refuses to queue even a read in one, and answers must still be read.
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(key)
                pipe.pttl(key)
                pipe.time()
                fields, ttl_ms, (seconds, microseconds) = await pipe.execute()
        if not fields:
            return None
        return Job.from_redis(job_id, fields, expires_at_ms=seconds * 1000 + microseconds // 1000 + ttl_ms)

    async def ping(self) -> bool:
        """Whether Redis answers at all."""
        try:
            with redis_errors():
                return bool(await self.redis.ping())
        except StoreUnavailable:
            return False

    async def backlog_length(self) -> int:
        """How many jobs wait or are being worked on."""
        with redis_errors():
            return int(await self.redis.xlen(self.keys.backlog))

    async def _give_up(self, claim: Claim, error: str) -> None:
        with suppress(StoreUnavailable):  # or whoever claims it next does: the other jobs of the batch are in hand now
            await self.fail(claim, error)

    async def _record_end(self, claim: Claim, status: JobStatus, field: str, value: str) -> bool:
        job_id, keys, policy = claim.job_id, self.keys, self.policy
        args: list[Word] = [job_id, claim.token, status, field, value, _ms(policy.job_ttl)]
        args += [policy.max_dead_letters, WORKERS, keys.ended, keys.root]
        with redis_errors():
            return bool(
                await self._end.run([keys.job(job_id), keys.payload(job_id), keys.backlog, keys.dead_letters], args)
            )


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _json(answer: Answer) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
