"""What the job store promises, in the simplest program that keeps the promise: no Redis, no time, one caller."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from job_store import Claim, Policy


@dataclass
class ModelJob:
    status: str = "queued"
    token: int = 0
    attempts: int = 0
    output: str | None = None
    error: str | None = None
    has_image: bool = True
    has_expired: bool = False

    @property
    def is_over(self) -> bool:
        return self.status in {"succeeded", "failed"}


@dataclass
class Entry:
    """A job's place in the backlog."""

    job_id: str
    is_taken: bool = False
    lease_ran_out: bool = False


@dataclass
class Model:
    policy: Policy
    completed_at: Callable[[str], int]
    """When Redis says that a job has ended: which dead letter is the oldest is a matter of its clock."""
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    backlog: list[Entry] = field(default_factory=list)
    dead_letters: dict[str, int] = field(default_factory=dict)
    """When each of them died."""
    announcements: list[str] = field(default_factory=list)

    def has_room(self) -> bool:
        return len(self.backlog) < self.policy.max_backlog

    def submit(self, job_id: str) -> None:
        self.jobs[job_id] = ModelJob()
        self.backlog.append(Entry(job_id))

    def claim(self, count: int) -> Sequence[tuple[str, int, int]]:
        """Return id, token and attempt of each job that is handed out."""
        overdue = [entry for entry in self.backlog if entry.is_taken and entry.lease_ran_out]
        waiting = [entry for entry in self.backlog if not entry.is_taken]
        taken: list[tuple[str, int, int]] = []
        for entry in overdue + waiting:
            if len(taken) < count and self.jobs[entry.job_id].has_expired:
                self.backlog.remove(entry)
            elif len(taken) < count:
                taken.append(self._take(entry))
        for job_id, _, attempt in taken:
            if attempt > self.policy.max_attempts:
                error = f"gave up after {self.policy.max_attempts} attempts: none of them came to an end"
                self._end(job_id, "failed", error=error)
            elif not self.jobs[job_id].has_image:
                self._end(job_id, "failed", error="the payload is no longer stored")
        return [claim for claim in taken if self.jobs[claim[0]].status == "processing"]

    def finish(self, claim: Claim, output: str) -> bool:
        if not self._holds(claim):
            return self._has_ended(claim, "succeeded")
        self._end(claim.job_id, "succeeded", output=output)
        return True

    def fail(self, claim: Claim, error: str) -> bool:
        if not self._holds(claim):
            return self._has_ended(claim, "failed")
        self._end(claim.job_id, "failed", error=error)
        return True

    def requeue(self, claim: Claim, *, counts: bool) -> bool:
        if not self._holds(claim):
            return False
        job = self.jobs[claim.job_id]
        job.status, job.attempts = "queued", job.attempts - (0 if counts else 1)
        self.backlog.remove(self._entry(claim.job_id))
        self.backlog.append(Entry(claim.job_id))
        return True

    def extend(self, claim: Claim) -> bool:
        if not self._holds(claim):
            return False
        self._entry(claim.job_id).lease_ran_out = False
        return True

    def replay(self, job_id: str) -> bool:
        job = self.jobs[job_id]
        if job_id not in self.dead_letters or not job.has_image:
            return False
        job.status, job.attempts, job.error = "queued", 0, None
        self.backlog.append(Entry(job_id))
        del self.dead_letters[job_id]
        return True

    def discard(self, job_id: str) -> bool:
        if job_id not in self.dead_letters:
            return False
        self.jobs[job_id].has_image = False
        del self.dead_letters[job_id]
        return True

    def list_dead_letters(self) -> Sequence[str]:
        """Return their ids, newest first, and forget those that have expired."""
        for job_id in [job_id for job_id in self.dead_letters if self.jobs[job_id].has_expired]:
            del self.dead_letters[job_id]
        return self._by_age()[::-1]

    def expire(self, job_id: str) -> None:
        self.jobs[job_id].has_expired = True
        self.jobs[job_id].has_image = False

    def _take(self, entry: Entry) -> tuple[str, int, int]:
        job = self.jobs[entry.job_id]
        entry.is_taken, entry.lease_ran_out = True, False
        attempt = job.attempts + 1
        job.status, job.token, job.attempts = "processing", job.token + 1, min(attempt, self.policy.max_attempts)
        return entry.job_id, job.token, attempt

    def _end(self, job_id: str, status: str, *, output: str | None = None, error: str | None = None) -> None:
        job = self.jobs[job_id]
        job.status, job.output, job.error = status, output, error
        self.backlog.remove(self._entry(job_id))
        self.announcements.append(job_id)
        if status == "succeeded":
            job.has_image = False
            return
        self.dead_letters[job_id] = self.completed_at(job_id)
        for forgotten in self._by_age()[: -self.policy.max_dead_letters]:
            self.discard(forgotten)

    def _holds(self, claim: Claim) -> bool:
        return self._has_ended(claim, "processing")

    def _has_ended(self, claim: Claim, status: str) -> bool:
        """Whether the claim is the last one of a job in that state."""
        job = self.jobs[claim.job_id]
        return not job.has_expired and (job.token, job.status) == (claim.token, status)

    def _entry(self, job_id: str) -> Entry:
        (entry,) = [entry for entry in self.backlog if entry.job_id == job_id]
        return entry

    def _by_age(self) -> Sequence[str]:
        return sorted(self.dead_letters, key=lambda job_id: (self.dead_letters[job_id], job_id))
