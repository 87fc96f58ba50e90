"""Times to live, the lease, and limits."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    max_backlog: int = 10_000
    """Jobs queued or processing. Further ones are refused with `QueueFull`."""
    pending_ttl: timedelta = timedelta(days=7)
    """How long a job is kept before it ends. Each attempt restarts this time."""
    job_ttl: timedelta = timedelta(days=1)
    """How long an ended job, or a dead letter and its payload, is kept."""
    lease: timedelta = timedelta(seconds=15)
    """How long a claim lasts without a heartbeat before another worker can claim the job."""
    max_attempts: int = 3
    """Attempts at one job before it becomes a dead letter. An attempt requeued with `counts=False` is not counted."""
    max_dead_letters: int = 1_000
    """Beyond this number, the oldest dead letters are dropped with their payloads and can no longer be replayed."""
    max_dead_letter_bytes: int = 128 * 1024 * 1024
    """Of all payloads; likewise. The newest dead letter is always kept."""
    claim_validity: timedelta = timedelta(seconds=1)
    """Redis ignores a claim that it executes later than this after its own clock was read, because the worker may have
    timed out by then. It must be shorter than the timeout of the worker's connection, so that the reply has time."""
