"""A job, the states it goes through, and a worker's hold on one."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

Answer = Mapping[str, object]
"""What a model said, as JSON. The store keeps it and does not look inside."""


class JobStatus(enum.StrEnum):
    QUEUED = "queued"
    """Accepted and waiting for a worker: its payload is in Redis, its id in the backlog."""
    PROCESSING = "processing"
    """A worker holds it under a lease. When the lease runs out, another worker may take it."""
    SUCCEEDED = "succeeded"
    """The accurate model answered. Final."""
    FAILED = "failed"
    """The accurate model refused the payload, or the attempts are used up. Final, unless a dead letter is replayed."""
    CANCELED = "canceled"
    """The client took it back. Final."""
    ABORTED = "aborted"
    """Its deadline passed before a worker came to it. Final."""

    @property
    def is_final(self) -> bool:
        return self not in (JobStatus.QUEUED, JobStatus.PROCESSING)


@dataclass(frozen=True, slots=True)
class Job:
    """One job as Redis has it. All times are Redis's clock, so they compare across processes and machines."""

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

    @classmethod
    def from_redis(cls, job_id: str, fields: Mapping[bytes, bytes], expires_at_ms: int) -> Self:
        """Read the hash that `scripts/` writes; its field names are those of this class."""
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
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on one job: one attempt, under a lease.

    `token` is the fence. Each claim of a job gets a higher one, and every transition a worker asks for names the token
    it holds: a worker whose lease ran out finds its token outdated and changes nothing.
    """

    job_id: str
    token: int
    attempt: int
    waited_ms: int
    payload: bytes


def _time(milliseconds: bytes | int) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
