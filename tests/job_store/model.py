"""A model of the job store: its specification, without Redis, time or concurrency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from job_store import Claim, Owner, Policy


@dataclass(slots=True)
class ModelJob:
    status: str = "queued"
    token: int = 0
    attempts: int = 0
    output: str | None = None
    error: str | None = None
    has_payload: bool = True
    has_expired: bool = False
    owner: str | None = None

    @property
    def is_final(self) -> bool:
        return self.status in {"succeeded", "failed"}


@dataclass(slots=True)
class Entry:
    """A job's place in the backlog."""

    job_id: str
    is_claimed: bool = False
    has_expired_lease: bool = False


@dataclass(slots=True)
class Model:
    policy: Policy
    completed_at: Callable[[str], int]
    """Returns the time, by Redis's clock, at which a job ended. It determines which dead letter is the oldest."""
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    backlog: list[Entry] = field(default_factory=list)
    dead_letters: dict[str, int] = field(default_factory=dict)
    """The time of failure of each."""
    notifications: list[str] = field(default_factory=list)

    def has_room(self) -> bool:
        return len(self.backlog) < self.policy.max_backlog

    def is_within_quota(self, owner: Owner | None) -> bool:
        return owner is None or len(self.unfinished(owner.id)) < owner.max_queued

    def unfinished(self, owner: str) -> set[str]:
        """Return the ids of the jobs that count against the owner's quota."""
        return {
            job_id
            for job_id, job in self.jobs.items()
            if job.owner == owner and not job.is_final and not job.has_expired
        }

    def submit(self, job_id: str, owner: Owner | None = None) -> None:
        assert job_id not in self.jobs
        self.jobs[job_id] = ModelJob(owner=owner.id if owner else None)
        self.backlog.append(Entry(job_id))

    def claim(self, count: int) -> Sequence[tuple[str, int, int]]:
        """Return the id, token and attempt of each claimed job: none while a lease has expired."""
        if self.has_expired_leases():
            return []
        return self._claim_each([entry for entry in self.backlog if not entry.is_claimed], count)

    def reclaim(self) -> Sequence[tuple[str, int, int]]:
        """Likewise, for the oldest job with an expired lease."""
        return self._claim_each([entry for entry in self.backlog if entry.has_expired_lease], 1)

    def has_expired_leases(self) -> bool:
        return any(entry.has_expired_lease for entry in self.backlog)

    def finish(self, claim: Claim, output: str) -> bool:
        if not self.is_current(claim):
            return self._is_last_claim(claim, "succeeded")
        self._end(claim.job_id, "succeeded", output=output)
        return True

    def fail(self, claim: Claim, error: str) -> bool:
        if not self.is_current(claim):
            return self._is_last_claim(claim, "failed")
        self._end(claim.job_id, "failed", error=error)
        return True

    def requeue(self, claim: Claim, *, counts: bool) -> bool:
        if not self.is_current(claim):
            return False
        job = self.jobs[claim.job_id]
        job.status, job.attempts = "queued", job.attempts - (0 if counts else 1)
        self.backlog.remove(self._entry(claim.job_id))
        self.backlog.append(Entry(claim.job_id))
        return True

    def extend(self, claim: Claim) -> bool:
        if not self.is_current(claim):
            return False
        self._entry(claim.job_id).has_expired_lease = False
        return True

    def expire_lease(self, job_id: str) -> None:
        self._entry(job_id).has_expired_lease = True

    def replay(self, job_id: str) -> bool:
        job = self.jobs[job_id]
        if job_id not in self.dead_letters or not job.has_payload:
            return False
        job.status, job.attempts, job.error = "queued", 0, None
        self.backlog.append(Entry(job_id))
        del self.dead_letters[job_id]
        return True

    def discard(self, job_id: str) -> bool:
        if job_id not in self.dead_letters:
            return False
        self.jobs[job_id].has_payload = False
        del self.dead_letters[job_id]
        return True

    def list_dead_letters(self) -> Sequence[str]:
        """Return their ids, newest first, and remove those that have expired."""
        for job_id in [job_id for job_id in self.dead_letters if self.jobs[job_id].has_expired]:
            del self.dead_letters[job_id]
        return self._oldest_first()[::-1]

    def expire(self, job_id: str) -> None:
        self.jobs[job_id].has_expired = True
        self.jobs[job_id].has_payload = False

    def is_current(self, claim: Claim) -> bool:
        return self._is_last_claim(claim, "processing")

    def _entry(self, job_id: str) -> Entry:
        (entry,) = [entry for entry in self.backlog if entry.job_id == job_id]
        return entry

    def _is_last_claim(self, claim: Claim, status: str) -> bool:
        """Return whether the claim is the last one of a job with that status."""
        job = self.jobs[claim.job_id]
        return not job.has_expired and (job.token, job.status) == (claim.token, status)

    def _claim_each(self, entries: Sequence[Entry], count: int) -> Sequence[tuple[str, int, int]]:
        """Claim up to `count` jobs. Those that have used up their attempts, or have no payload, fail on the way."""
        claims: list[tuple[str, int, int]] = []
        for entry in entries:
            job = self.jobs[entry.job_id]
            if len(claims) == count:
                break
            if job.has_expired:
                self.backlog.remove(entry)
                continue
            job.token += 1
            if job.attempts == self.policy.max_attempts:
                error = f"gave up after {self.policy.max_attempts} attempts, none of which completed"
                self._end(entry.job_id, "failed", error=error)
                continue
            job.attempts += 1
            if not job.has_payload:
                error = "the submitted payload is no longer stored; submit it again"
                self._end(entry.job_id, "failed", error=error)
                continue
            entry.is_claimed, entry.has_expired_lease, job.status = True, False, "processing"
            claims.append((entry.job_id, job.token, job.attempts))
        return claims

    def _end(self, job_id: str, status: str, *, output: str | None = None, error: str | None = None) -> None:
        job = self.jobs[job_id]
        job.status, job.output, job.error = status, output, error
        self.backlog.remove(self._entry(job_id))
        self.notifications.append(job_id)
        if status == "succeeded":
            job.has_payload = False
            return
        self.dead_letters[job_id] = self.completed_at(job_id)
        for oldest in self._oldest_first()[: -self.policy.max_dead_letters]:
            self.discard(oldest)

    def _oldest_first(self) -> Sequence[str]:
        return sorted(self.dead_letters, key=lambda job_id: (self.dead_letters[job_id], job_id))
