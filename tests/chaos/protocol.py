"""The protocol of claim, lease and fence as a small specification, of which every possible course can be explored.

What `job_store/scripts/` do is here in the fewest words that still say it. Workers take one job at a time, and may stop
for any time between any two steps: in an exploration of all courses, that is one in which the others go first. Mishaps
are what may go wrong at any moment: a crash, a lease that runs out though its holder lives, an answer of Redis that is
lost, a job that is given back. There are as many of them as `Protocol.mishaps`, so every course has an end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Status = Literal["queued", "processing", "succeeded", "failed"]
FINAL: Final = ("succeeded", "failed")


class Job(NamedTuple):
    status: Status = "queued"
    token: int = 0
    attempts: int = 0
    entry: Literal["waiting", "pending", "gone"] = "waiting"
    lease_ran_out: bool = False
    ends: tuple[int, ...] = ()
    """The token of each claim that recorded an end."""


class Worker(NamedTuple):
    job: int = -1
    """The job it holds, or believes it holds; -1: none."""
    token: int = 0
    step: Literal["idle", "claimed", "acknowledged"] = "idle"
    wants: Status = "succeeded"
    """The end that it will record. A worker that got a job whose attempts are used up records a failure."""


class State(NamedTuple):
    jobs: tuple[Job, ...]
    workers: tuple[Worker, ...]
    mishaps: int

    def with_job(self, number: int, job: Job) -> "State":
        return self._replace(jobs=(*self.jobs[:number], job, *self.jobs[number + 1 :]))

    def with_worker(self, number: int, worker: Worker) -> "State":
        return self._replace(workers=(*self.workers[:number], worker, *self.workers[number + 1 :]))


IDLE: Final = Worker()


@dataclass(frozen=True)
class Protocol:
    """The three booleans are what makes it right. Each can be taken away, to see what goes wrong without."""

    workers: int = 2
    jobs: int = 2
    max_attempts: int = 2
    mishaps: int = 4
    is_fenced: bool = True
    acknowledges_with_the_result: bool = True
    reclaims: bool = True
    start: State = field(init=False)

    def __post_init__(self) -> None:
        start = State((Job(),) * self.jobs, (IDLE,) * self.workers, self.mishaps)
        object.__setattr__(self, "start", start)

    def next_states(self, state: State) -> Iterator[State]:
        """Every state that one step leads to."""
        for number, job in enumerate(state.jobs):
            yield from self._leases_run_out(state, number, job)
        for number, worker in enumerate(state.workers):
            if worker.job < 0:
                yield from self._claims(state, number)
            else:
                yield from self._works(state, number, worker)

    def _leases_run_out(self, state: State, number: int, job: Job) -> Iterator[State]:
        """Of a job that nobody works on, that is only a matter of time; of another, it is a mishap."""
        if job.entry != "pending" or job.lease_ran_out:
            return
        is_held = any((worker.job, worker.token) == (number, job.token) for worker in state.workers)
        if not is_held:
            yield state.with_job(number, job._replace(lease_ran_out=True))
        elif state.mishaps:
            yield spent(state).with_job(number, job._replace(lease_ran_out=True))

    def _claims(self, state: State, by: int) -> Iterator[State]:
        """claim.lua"""
        for number, job in enumerate(state.jobs):
            if job.entry == "waiting" or (self.reclaims and job.entry == "pending" and job.lease_ran_out):
                attempt = job.attempts + 1
                token = job.token + 1
                attempts = min(attempt, self.max_attempts)
                wants: Status = "failed" if attempt > self.max_attempts else "succeeded"
                taken = state.with_job(number, Job("processing", token, attempts, "pending", False, job.ends))
                yield taken.with_worker(by, Worker(number, token, "claimed", wants))

    def _works(self, state: State, by: int, worker: Worker) -> Iterator[State]:
        job = state.jobs[worker.job]
        if not self.acknowledges_with_the_result and worker.step == "claimed":
            yield state.with_job(worker.job, job._replace(entry="gone")).with_worker(
                by, worker._replace(step="acknowledged")
            )
        else:
            ended = state.with_job(worker.job, self._ended(job, worker))
            yield ended.with_worker(by, IDLE)
            if state.mishaps:
                yield spent(ended)  # the answer is lost, and the worker will record it again
        if state.mishaps:
            yield spent(state).with_worker(by, IDLE)  # it crashes, and is started again
            if worker.step == "claimed" and self._is_current(job, worker):
                back = Job("queued", job.token, job.attempts - 1, "waiting", False, job.ends)
                yield spent(state).with_job(worker.job, back).with_worker(by, IDLE)
                yield spent(state).with_job(worker.job, job._replace(lease_ran_out=False))

    def _ended(self, job: Job, worker: Worker) -> Job:
        """end.lua"""
        if self.is_fenced and not self._is_current(job, worker):
            return job
        return Job(worker.wants, job.token, job.attempts, "gone", False, (*job.ends, worker.token))

    @staticmethod
    def _is_current(job: Job, worker: Worker) -> bool:
        return job.status == "processing" and job.token == worker.token


def spent(state: State) -> State:
    return state._replace(mishaps=state.mishaps - 1)
