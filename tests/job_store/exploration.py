"""Explores every interleaving of a few workers' steps, with the real job store and a model of it side by side.

Any number of other steps can come between two steps of a worker. A fault is anything but claiming and finishing: a
worker crashes, a lease expires although its worker is alive, the reply to a result is lost, a job is failed, extended,
requeued or replayed. The number of faults is limited, so every sequence of steps ends.

Before each step, Redis is restored to the state in which the step begins. States that differ only in which worker has
which claim are explored once.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

from redis.asyncio import Redis

from job_store import Claim, DeadLetters, JobStore, Owner, Policy, StoreUnavailable
from job_store.keys import WORKERS
from tests.job_store.inspection import expire_lease
from tests.job_store.model import Entry, Model, ModelJob

POLICY: Final = Policy(max_attempts=2, lease=timedelta(hours=1))
OWNER: Final = Owner("owner")
"""Of every job."""


class Deviation(AssertionError):
    """The job store differs from the model, changes an ended job, or leaves a job unfinished."""


Results = tuple[object, object]
"""The results of one step, from the store and from the model."""

Contents = tuple[dict[str, ModelJob], list[Entry], set[str], set[str]]
"""Jobs, backlog, dead letters, and the jobs that count against the owner's quota."""


class Step(NamedTuple):
    name: str
    run: Callable[[Model], Awaitable[Results]]
    worker: int | None = None
    keeps_claim: bool = False
    faults: int = 0


@dataclass(frozen=True, slots=True)
class State:
    dumps: Mapping[str, bytes]
    """The keys in Redis and their values."""
    model: Model
    held: tuple[Claim | None, ...]
    """The claim of each worker."""
    faults: int
    """How many more may occur."""
    path: tuple[str, ...] = ()
    """The steps that led here."""

    @property
    def identity(self) -> str:
        model = self.model
        return repr((model.jobs, model.backlog, model.dead_letters, sorted(map(repr, self.held)), self.faults))

    def is_held(self, job_id: str) -> bool:
        return any(held and held.job_id == job_id and self.model.is_current(held) for held in self.held)


class Exploration:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.store = JobStore(redis, POLICY)
        self.dead_letters = DeadLetters(redis, self.store)
        self._claimed: Claim | None = None

    async def run(self, *, workers: int, jobs: int, faults: int) -> int:
        """Explore all states, those after the fewest steps first, and return their number. Raises `Deviation`."""
        start = await self._start(workers, jobs, faults)
        queue, known = deque([start]), {start.identity}
        while queue:
            state = queue.popleft()
            following = [await self._take(state, step) for step in self._steps(state)]
            new = {after.identity: after for after in following if after.identity not in known}
            known.update(new)
            queue.extend(new.values())
            if state.model.backlog and all(after.identity == state.identity for after in following):
                raise Deviation(f"no step ends {state.model.backlog} after {state.path}")
        return len(known)

    async def _start(self, workers: int, jobs: int, faults: int) -> State:
        model = Model(POLICY, completed_at=lambda _: 0)
        for _ in range(jobs):
            model.submit(await self.store.submit(b"payload", {}, owner=OWNER), OWNER)
        await self.redis.xgroup_create(self.store.keys.backlog, WORKERS, "0")
        _, dumps = await self._read(list(model.jobs))
        return State(dumps, model, (None,) * workers, faults)

    async def _take(self, state: State, step: Step) -> State:
        await self._restore(state.dumps)
        self._claimed = None
        model, path = deepcopy(state.model), (*state.path, step.name)
        try:
            result, expected_result = await step.run(model)
        except StoreUnavailable as error:
            raise Deviation(f"{error} after {path}") from error
        contents, dumps = await self._read(list(model.jobs))
        expected = model.jobs, model.backlog, set(model.dead_letters), model.unfinished(OWNER.id)
        if (result, contents) != (expected_result, expected):
            raise Deviation(f"{result}, {contents} instead of {expected_result}, {expected} after {path}")
        for job_id, job in state.model.jobs.items():
            key = self.store.keys.job(job_id)
            if job.is_final and model.jobs[job_id].is_final and dumps[key] != state.dumps[key]:
                raise Deviation(f"the ended job {job_id} has changed after {path}")
        held = list(state.held)
        if step.worker is not None and not step.keeps_claim:
            held[step.worker] = self._claimed
        return State(dumps, model, tuple(held), state.faults - step.faults, path)

    def _steps(self, state: State) -> Iterator[Step]:
        for worker, held in enumerate(state.held):
            if held is None:
                yield Step(f"worker {worker} claims", self._claim, worker)
                yield Step(f"worker {worker} reclaims", self._reclaim, worker)
            else:
                yield from (step for step in self._steps_of(worker, held) if step.faults <= state.faults)
        for entry in state.model.backlog:
            faults = int(state.is_held(entry.job_id))
            if entry.is_claimed and not entry.has_expired_lease and faults <= state.faults:
                yield Step(f"lease of {entry.job_id} expires", partial(self._expire_lease, entry.job_id), faults=faults)
        for job_id in state.model.dead_letters if state.faults else ():
            yield Step(f"{job_id} is replayed", partial(self._replay, job_id), faults=1)

    def _steps_of(self, worker: int, held: Claim) -> Iterator[Step]:
        name = f"worker {worker}, which has job {held.job_id} at token {held.token}:"
        end, requeue = partial(self._finish, held), partial(self._requeue, held)
        yield Step(f"{name} end", end, worker)
        yield Step(f"{name} end without a reply", end, worker, keeps_claim=True, faults=1)
        yield Step(f"{name} crash", self._crash, worker, faults=1)
        yield Step(f"{name} fail", partial(self._fail, held), worker, faults=1)
        yield Step(f"{name} extend", partial(self._extend, held), worker, keeps_claim=True, faults=1)
        yield Step(f"{name} requeue", partial(requeue, counts=True), worker, faults=1)
        yield Step(f"{name} requeue uncounted", partial(requeue, counts=False), worker, faults=1)

    async def _claim(self, model: Model) -> Results:
        result = await self.store.claim(1)
        expected = model.has_expired_leases(), model.claim(1)
        return (result.has_expired_leases, self._hold(result.claims)), expected

    async def _reclaim(self, model: Model) -> Results:
        return self._hold((await self.store.reclaim()).claims), model.reclaim()

    def _hold(self, claims: Sequence[Claim]) -> Sequence[tuple[str, int, int]]:
        self._claimed = claims[0] if claims else None
        return [(claim.job_id, claim.token, claim.attempt) for claim in claims]

    async def _finish(self, claim: Claim, model: Model) -> Results:
        return await self.store.finish(claim, {"by": claim.token}), model.finish(claim, f'{{"by":{claim.token}}}')

    async def _fail(self, claim: Claim, model: Model) -> Results:
        return await self.store.fail(claim, "broken"), model.fail(claim, "broken")

    async def _crash(self, model: Model) -> Results:
        return None, None

    async def _extend(self, claim: Claim, model: Model) -> Results:
        return await self.store.extend(claim), model.extend(claim)

    async def _requeue(self, claim: Claim, model: Model, *, counts: bool) -> Results:
        return await self.store.requeue(claim, counts=counts), model.requeue(claim, counts=counts)

    async def _expire_lease(self, job_id: str, model: Model) -> Results:
        await expire_lease(self.store, job_id)
        model.expire_lease(job_id)
        return None, None

    async def _replay(self, job_id: str, model: Model) -> Results:
        return await self.dead_letters.replay(job_id), model.replay(job_id)

    async def _read(self, job_ids: Sequence[str]) -> tuple[Contents, Mapping[str, bytes]]:
        """Return what Redis holds, in the terms of the model, and a dump of each key."""
        keys = self.store.keys
        unfinished = keys.unfinished(OWNER.id)
        names = [keys.backlog, keys.dead_letters, unfinished, *map(keys.job, job_ids), *map(keys.payload, job_ids)]
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.xrange(keys.backlog)
            pipe.xpending_range(keys.backlog, WORKERS, "-", "+", 100)
            pipe.zrange(keys.dead_letters, 0, -1)
            pipe.zrange(unfinished, 0, -1)
            for name in names:
                pipe.dump(name)
            for job_id in job_ids:
                pipe.hgetall(keys.job(job_id))
            entries, pending, letters, counted, *values = await pipe.execute()
        dumps = {name: dump for name, dump in zip(names, values, strict=False) if dump is not None}
        hashes = zip(job_ids, values[len(names) :], strict=True)
        jobs = {job_id: model_job(fields, keys.payload(job_id) in dumps) for job_id, fields in hashes}
        idle = {entry["message_id"]: timedelta(milliseconds=entry["time_since_delivered"]) for entry in pending}
        backlog = [
            Entry(fields[b"id"].decode(), entry in idle, idle.get(entry, timedelta()) >= POLICY.lease)
            for entry, fields in entries
        ]
        return (jobs, backlog, {job.decode() for job in letters}, {job.decode() for job in counted}), dumps

    async def _restore(self, dumps: Mapping[str, bytes]) -> None:
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.flushdb()
            for name, dump in dumps.items():
                pipe.restore(name, 3_600_000, dump)
            await pipe.execute()


def model_job(fields: Mapping[bytes, bytes], has_payload: bool) -> ModelJob:
    text = {name.decode(): value.decode() for name, value in fields.items()}
    token, attempts = int(text.get("token", 0)), int(text.get("attempts", 0))
    output, error, owner = map(text.get, ("output", "error", "owner"))
    return ModelJob(text["status"], token, attempts, output, error, has_payload, owner=owner)
