"""Submits, claims and finishes jobs.

Every transition is one Lua script, so it is atomic. A worker's transitions include the fencing token of its claim
(`Claim.token`), so a worker whose lease has expired cannot overwrite what a later claim recorded.
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
from job_store.pipelining import CommandArg, Pipelining
from job_store.policy import Policy
from job_store.scripts import Script

CLAIM_DEADLINE: Final = timedelta(seconds=1)
"""Redis ignores a claim that it executes later than this after the worker sent it, because the worker may have timed
out. The deadline must be shorter than the timeout of a worker's connection."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The claimed jobs, and the newest entry of the backlog at that time, for `BacklogListener.wait`."""

    claims: list[Claim]
    last_entry: str


class JobStore:
    """Jobs in Redis. Every method except `ping` raises `StoreUnavailable` when Redis fails or times out."""

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

        Redis has stored the job when this returns. Raises `QueueFull` when the backlog or Redis's memory is full.
        """
        answer = _json(provisional)
        while True:
            job_id = secrets.token_hex(12)
            keys = [self.keys.job(job_id), self.keys.payload(job_id), self.keys.backlog]
            args: list[CommandArg] = [job_id, payload, answer, self.policy.max_backlog, _ms(self.policy.pending_ttl)]
            with redis_errors():
                outcome = await self._submit.run(keys, args)
            if outcome == b"accepted":
                return job_id
            if outcome == b"full":
                raise QueueFull("the queue is full; try again later")

    async def claim(self, count: int) -> ClaimResult:
        """Claim up to `count` jobs without waiting, oldest first, those with an expired lease before all others.

        A job whose attempts are used up, or whose payload is no longer stored, fails instead of being claimed.
        """
        policy = self.policy
        lease_ms, pending_ttl_ms = _ms(policy.lease), _ms(policy.pending_ttl)
        args: list[CommandArg] = [self.keys.root, WORKERS, count, lease_ms, policy.max_attempts, pending_ttl_ms]
        with redis_errors():
            seconds, microseconds = await self.redis.time()
            valid_until_ms = seconds * 1000 + microseconds // 1000 + _ms(CLAIM_DEADLINE)
            replies, last_entry = await self._claim.run([self.keys.backlog], [*args, valid_until_ms])
        claims = []
        for job_id, token, attempt, waited_ms, payload in replies:
            claim = Claim(job_id.decode(), token, attempt, waited_ms, payload)
            if attempt > policy.max_attempts:
                await self._give_up(claim, f"gave up after {policy.max_attempts} attempts, none of which completed")
            elif not payload:
                await self._give_up(claim, "the submitted payload is no longer stored; submit it again")
            else:
                claims.append(claim)
        return ClaimResult(claims, last_entry.decode())

    async def finish(self, claim: Claim, output: Answer) -> bool:
        """Record the result. False when the claim is outdated; the result is then discarded."""
        return await self._record_end(claim, JobStatus.SUCCEEDED, "output", _json(output))

    async def fail(self, claim: Claim, error: str) -> bool:
        """Record why the job failed, and make it a dead letter. False when the claim is outdated."""
        return await self._record_end(claim, JobStatus.FAILED, "error", error)

    async def requeue(self, claim: Claim, *, counts: bool) -> bool:
        """Move the job to the end of the backlog. False when the claim is outdated.

        `counts` says whether this attempt counts towards `Policy.max_attempts`.
        """
        keys = [self.keys.job(claim.job_id), self.keys.backlog]
        args: list[CommandArg] = [claim.job_id, claim.token, int(counts), WORKERS, _ms(self.policy.pending_ttl)]
        with redis_errors():
            return bool(await self._requeue.run(keys, args))

    async def extend(self, claim: Claim) -> bool:
        """Renew the lease. False when the claim is outdated; the worker should then drop the job."""
        with redis_errors():
            return bool(
                await self._extend.run([self.keys.job(claim.job_id), self.keys.backlog], [claim.token, WORKERS])
            )

    async def find(self, job_id: str) -> Job | None:
        """Read a job; None when there is no such job, or it has expired."""
        key = self.keys.job(job_id)
        with redis_errors():
            # No MULTI: with its memory full, Redis refuses even reads inside one, and results must remain readable.
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(key)
                pipe.pttl(key)
                pipe.time()
                fields, ttl_ms, (seconds, microseconds) = await pipe.execute()
        if not fields:
            return None
        return Job.from_redis(job_id, fields, expires_at_ms=seconds * 1000 + microseconds // 1000 + ttl_ms)

    async def ping(self) -> bool:
        """Return whether Redis answers."""
        try:
            with redis_errors():
                return bool(await self.redis.ping())
        except StoreUnavailable:
            return False

    async def backlog_length(self) -> int:
        """Return how many jobs are queued or processing."""
        with redis_errors():
            return int(await self.redis.xlen(self.keys.backlog))

    async def _give_up(self, claim: Claim, error: str) -> None:
        with suppress(StoreUnavailable):  # the other claims are valid, and the next worker to claim this job fails it
            await self.fail(claim, error)

    async def _record_end(self, claim: Claim, status: JobStatus, field: str, value: str) -> bool:
        job_id, keys, policy = claim.job_id, self.keys, self.policy
        args: list[CommandArg] = [job_id, claim.token, status, field, value, _ms(policy.job_ttl)]
        args += [policy.max_dead_letters, WORKERS, keys.ended, keys.root]
        with redis_errors():
            return bool(
                await self._end.run([keys.job(job_id), keys.payload(job_id), keys.backlog, keys.dead_letters], args)
            )


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _json(answer: Answer) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
