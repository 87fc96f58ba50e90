"""How long things live in the job store and how many there may be."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    max_backlog: int = 10_000
    """Jobs that may wait or be worked on at once. One more is refused (`QueueFull`)."""
    pending_ttl: timedelta = timedelta(days=7)
    """How long a job may wait. It starts anew with each attempt."""
    job_ttl: timedelta = timedelta(days=1)
    """How long an ended job, and a dead letter with its payload, can be fetched."""
    lease: timedelta = timedelta(seconds=15)
    """How long a worker may be silent about a job before another takes it."""
    max_attempts: int = 3
    """Claims of one job that may end with its worker lost. After that it is a dead letter."""
    max_dead_letters: int = 1_000
    """Dead letters that keep their payload. The oldest beyond that lose it, and can't be replayed."""
