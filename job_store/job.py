"""A job, its statuses, its owner, and a worker's claim on it."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

Answer = Mapping[str, object]
"""A model's answer: any JSON object. The store does not inspect it."""


class JobStatus(enum.StrEnum):
    QUEUED = "queued"
    """Accepted and waiting for a worker. Its payload is in Redis and its id in the backlog."""
    PROCESSING = "processing"
    """Claimed by a worker under a lease. When the lease expires, another worker can claim it."""
    SUCCEEDED = "succeeded"
    """The accurate model answered. Final."""
    FAILED = "failed"
    """The accurate model rejected the payload, or the attempts are used up. Final, unless the job is replayed."""
    CANCELED = "canceled"
    """Reserved for jobs that the client canceled: final, but no transition leads to it yet."""
    ABORTED = "aborted"
    """Reserved for jobs whose deadline passed before a claim: final, but no transition leads to it yet."""

    @property
    def is_final(self) -> bool:
        return self not in (JobStatus.QUEUED, JobStatus.PROCESSING)


@dataclass(frozen=True, slots=True)
class Job:
    """One job as stored in Redis. Times are by the clock of Redis, so they are comparable across processes."""

    id: str
    status: JobStatus
    provisional: Answer
    output: Answer | None
    error: str | None
    attempts: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime
    owner: str | None = None
    """The `Owner.id` that was submitted with it."""

    @classmethod
    def from_redis(cls, job_id: str, fields: Mapping[bytes, bytes], expires_at_ms: int) -> Self:
        """Parse the hash that `scripts/` write; its fields have the names of this class."""
        error = fields.get(b"error")
        return cls(
            id=job_id,
            status=JobStatus(fields[b"status"].decode()),
            provisional=json.loads(fields[b"provisional"]),
            output=json.loads(fields[b"output"]) if b"output" in fields else None,
            error=error.decode() if error is not None else None,
            attempts=int(fields.get(b"attempts", 0)),
            created_at=_time(fields[b"created_at"]),
            started_at=_time(fields[b"started_at"]) if b"started_at" in fields else None,
            completed_at=_time(fields[b"completed_at"]) if b"completed_at" in fields else None,
            expires_at=_time(expires_at_ms),
            owner=fields[b"owner"].decode() if b"owner" in fields else None,
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """Counts its unfinished jobs, so that no owner can fill the backlog."""

    id: str
    """Any text but an empty one. The store does not interpret it."""
    max_queued: int = 0
    """How many unfinished jobs it may have when it submits another. 0: no limit."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt of one worker at one job, under a lease.

    `token` is the fencing token. Each claim of a job gets a higher one, and each of a worker's transitions includes it.
    Once another worker has claimed the job, the token is outdated and those transitions change nothing.
    """

    job_id: str
    token: int
    attempt: int
    waited_ms: int
    payload: bytes


def _time(milliseconds: bytes | int) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
