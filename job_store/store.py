"""Submits, claims and finishes jobs.

Every transition is one Lua script, so it is atomic. A worker's transitions include the fencing token of its claim
(`Claim.token`), so a worker whose lease has expired cannot overwrite what a later claim recorded.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from job_store.connection import redis_errors
from job_store.errors import QueueFull, QuotaExceeded, StoreUnavailable
from job_store.job import Answer, Claim, Job, JobStatus, Owner
from job_store.keys import WORKERS, Keys
from job_store.pipelining import CommandArg, Pipelining
from job_store.policy import Policy
from job_store.scripts import Script

MIN_FREED_BYTES: Final = 4 * 1024 * 1024
"""Of the oldest dead letters' payloads, when Redis's memory is full."""

WITHDRAWAL_TTL: Final = timedelta(minutes=10)
"""How late the command of a submit that failed may reach Redis and still be refused."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The claimed jobs, and what to do if there are none."""

    claims: list[Claim]
    last_entry: str
    """The newest entry of the backlog at that time, for `BacklogListener.wait`."""
    has_expired_leases: bool = False
    """No job was claimed because one with an expired lease has to be claimed first, with `JobStore.reclaim`."""
    was_late: bool = False
    """Redis executed the claim after `Policy.claim_validity`, and ignored it."""
    failed: Sequence[tuple[str, str]] = ()
    """The id and the error of each job that failed instead of being claimed."""


class JobStore:
    """Jobs in Redis. Every method except `is_writable` raises `StoreUnavailable` when Redis fails or times out."""

    def __init__(self, redis: Redis, policy: Policy | None = None, keys: Keys | None = None) -> None:
        self.redis = redis
        self.policy = policy or Policy()
        self.keys = keys or Keys()
        self.refusal: str | None = None
        """Why no job is accepted, if Redis turned out to be unsuitable while this process was running."""
        pipelining = Pipelining(redis)
        self._submit = Script(pipelining, "submit", libraries=["owned_jobs"])
        self._withdraw = Script(pipelining, "withdraw")
        self._drop = Script(pipelining, "drop_dead_letters")
        self._claim = Script(pipelining, "claim", libraries=["owned_jobs", "end_job"])
        self._end = Script(pipelining, "end", libraries=["owned_jobs", "end_job"])
        self._requeue = Script(pipelining, "requeue")
        self._extend = Script(pipelining, "extend", libraries=["owned_jobs"])

    async def submit(
        self, payload: bytes, provisional: Answer, job_id: str | None = None, owner: Owner | None = None
    ) -> str:
        """Accept a job and return its id. Pass a `new_job_id()` to call `withdraw` with if this fails.

        Redis has stored the job when this returns. When Redis's memory is full, the oldest dead letters are dropped.
        Raises `QueueFull` when the backlog is full, or the memory is still full, and `QuotaExceeded`.
        """
        if self.refusal:
            raise StoreUnavailable(self.refusal)
        job_id = job_id or new_job_id()
        while (outcome := await self._submit_once(job_id, payload, provisional, owner)) == b"taken":
            job_id = new_job_id()
        if outcome == b"out of memory" and await self._drop_dead_letters(len(payload)):
            outcome = await self._submit_once(job_id, payload, provisional, owner)
        if outcome == b"quota exceeded":
            raise QuotaExceeded("the owner has too many unfinished jobs; try again later")
        if outcome != b"accepted":
            raise QueueFull("the queue is full; try again later")
        return job_id

    async def withdraw(self, job_id: str) -> bool:
        """After a submit failed: return whether Redis has accepted the job. If it has not, it never will."""
        with redis_errors():
            return bool(
                await self._withdraw.run([self.keys.job(job_id), self.keys.withdrawn(job_id)], [_ms(WITHDRAWAL_TTL)])
            )

    async def claim(self, count: int, *, max_bytes: int = 1 << 40) -> ClaimResult:
        """Claim up to `count` queued jobs without waiting, oldest first.

        Their payloads together have at most `max_bytes`, unless a single one has more. While the lease of any job has
        expired, no job is claimed. A job whose attempts are used up, or whose payload is no longer stored, fails
        instead of being claimed.
        """
        return await self._run_claim(count, max_bytes, recover=False)

    async def reclaim(self) -> ClaimResult:
        """Claim the oldest job with an expired lease. Its payload may have killed its worker: process it alone."""
        return await self._run_claim(1, 0, recover=True)

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
        """Renew the lease, and `Policy.pending_ttl`. False when the claim is outdated; drop the job then."""
        keys = [self.keys.job(claim.job_id), self.keys.payload(claim.job_id), self.keys.backlog]
        args: list[CommandArg] = [claim.token, WORKERS, _ms(self.policy.pending_ttl), self.keys.root, claim.job_id]
        with redis_errors():
            return bool(await self._extend.run(keys, args))

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

    async def is_writable(self) -> bool:
        """Return whether Redis accepts writes, which a replica does not.

        The write changes nothing, and Redis accepts it also when its memory is full.
        """
        try:
            with redis_errors():
                await self.redis.delete(self.keys.nothing)
        except StoreUnavailable:
            return False
        return True

    async def backlog_length(self) -> int:
        """Return how many jobs are queued or processing."""
        with redis_errors():
            return int(await self.redis.xlen(self.keys.backlog))

    async def _submit_once(self, job_id: str, payload: bytes, provisional: Answer, owner: Owner | None) -> bytes:
        """Return the outcome that `submit.lua` returns."""
        keys = [self.keys.job(job_id), self.keys.payload(job_id), self.keys.backlog, self.keys.withdrawn(job_id)]
        pending_ttl_ms = _ms(self.policy.pending_ttl)
        args: list[CommandArg] = [job_id, payload, _json(provisional), self.policy.max_backlog, pending_ttl_ms]
        args += [self.keys.root, owner.id, owner.max_queued] if owner else [self.keys.root, "", 0]
        with redis_errors():
            return bytes(await self._submit.run(keys, args))

    async def _drop_dead_letters(self, needed_bytes: int) -> int:
        """Drop the oldest dead letters and return their number. Frees more than needed, so that it is rarely called."""
        with redis_errors():
            args: list[CommandArg] = [self.keys.root, max(2 * needed_bytes, MIN_FREED_BYTES)]
            return int(await self._drop.run([self.keys.dead_letters], args))

    async def _run_claim(self, count: int, max_bytes: int, *, recover: bool) -> ClaimResult:
        policy = self.policy
        args: list[CommandArg] = [self.keys.root, WORKERS, count, max_bytes, int(recover)]
        args += [_ms(policy.lease), policy.max_attempts, _ms(policy.pending_ttl)]
        with redis_errors():
            seconds, microseconds = await self.redis.time()
            valid_until_ms = seconds * 1000 + microseconds // 1000 + _ms(policy.claim_validity)
            outcome, replies, last_entry, failed = await self._claim.run(
                [self.keys.backlog], [*args, valid_until_ms, *self._limits()]
            )
        claims = [
            Claim(job_id.decode(), token, attempt, waited_ms, payload)
            for job_id, token, attempt, waited_ms, payload in replies
        ]
        errors = [(job_id.decode(), error.decode()) for job_id, error in failed]
        return ClaimResult(claims, last_entry.decode(), outcome == b"expired", outcome == b"late", errors)

    async def _record_end(self, claim: Claim, status: JobStatus, field: str, value: str) -> bool:
        args: list[CommandArg] = [self.keys.root, WORKERS, claim.job_id, claim.token, status, field, value]
        with redis_errors():
            return bool(await self._end.run([self.keys.job(claim.job_id)], [*args, *self._limits()]))

    def _limits(self) -> list[CommandArg]:
        """Return the last arguments of every script that can end a job."""
        policy = self.policy
        return [_ms(policy.job_ttl), policy.max_dead_letters, policy.max_dead_letter_bytes]


def new_job_id() -> str:
    """Return 96 random bits as 24 hexadecimal digits."""
    return secrets.token_hex(12)


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _json(answer: Answer) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
