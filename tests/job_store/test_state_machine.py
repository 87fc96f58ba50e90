"""Random sequences of steps by clients, workers and operators: Redis and the model agree after each step.

Leases and jobs expire only when a rule says so.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from harness.redis import RedisServer
from job_store import Claim, DeadLetters, JobStore, Owner, Policy, QueueFull, QuotaExceeded
from job_store.keys import WORKERS
from tests.job_store.inspection import STOP, client_in
from tests.job_store.model import Model

pytestmark = pytest.mark.slow

POLICY: Final = Policy(max_backlog=6, max_dead_letters=2, lease=timedelta(hours=1))
OWNERS: Final = (Owner("modest", max_queued=2), Owner("busy", max_queued=5))


class JobStoreMachine(RuleBasedStateMachine):
    jobs = Bundle[str]("jobs")
    claims = Bundle[Claim]("claims")

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], store: JobStore, redis: Redis) -> None:
        super().__init__()
        redis.flushall()
        self.run, self.store, self.redis, self.keys = run, store, redis, store.keys
        self.dead_letters = DeadLetters(store.redis, store)
        self.model = Model(POLICY, completed_at=lambda job_id: int(self.hash(job_id)[b"completed_at"]))
        self.final_hashes: dict[str, Mapping[bytes, bytes]] = {}
        self.notifications = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self.notifications.subscribe(self.keys.ended)

    @initialize(max_attempts=st.integers(1, 3))
    def set_max_attempts(self, max_attempts: int) -> None:
        self.store.policy = self.model.policy = replace(POLICY, max_attempts=max_attempts)

    # Clients

    @rule(target=jobs, count=st.integers(1, 4), owner=st.sampled_from((None, *OWNERS)))
    def submit(self, count: int, owner: Owner | None) -> MultipleResults[str]:
        return multiple(*(job_id for _ in range(count) if self.model.has_room() for job_id in self.submit_one(owner)))

    def submit_one(self, owner: Owner | None) -> Sequence[str]:
        submission = self.store.submit(b"payload", {}, owner=owner)
        if not self.model.is_within_quota(owner):
            with pytest.raises(QuotaExceeded):
                self.run(submission)
            return ()
        self.model.submit(job_id := str(self.run(submission)), owner)
        return (job_id,)

    @precondition(lambda self: not self.model.has_room())
    @rule()
    def submit_to_a_full_backlog(self) -> None:
        with pytest.raises(QueueFull):
            self.run(self.store.submit(b"payload", {}))

    # Workers, which also use outdated claims

    @rule(target=claims, count=st.integers(1, 3))
    def claim(self, count: int) -> MultipleResults[Claim]:
        result = self.run(self.store.claim(count))
        assert result.has_expired_leases == self.model.has_expired_leases()
        return self.checked(result.claims, self.model.claim(count))

    @rule(target=claims, expire=st.booleans())
    def reclaim(self, expire: bool) -> MultipleResults[Claim]:
        if expire:
            self.expire_every_lease()
        return self.checked(self.run(self.store.reclaim()).claims, self.model.reclaim())

    def checked(self, claims: list[Claim], expected: Sequence[tuple[str, int, int]]) -> MultipleResults[Claim]:
        assert [(claim.job_id, claim.token, claim.attempt) for claim in claims] == expected
        assert all(claim.payload == b"payload" for claim in claims)
        return multiple(*claims)

    @rule(claim=claims, label=st.sampled_from(["tabby", "lynx"]))
    def finish(self, claim: Claim, label: str) -> None:
        recorded = self.run(self.store.finish(claim, {"label": label}))
        assert recorded == self.model.finish(claim, f'{{"label":"{label}"}}')

    @rule(claim=claims, error=st.sampled_from(["broken", "unreadable"]))
    def fail(self, claim: Claim, error: str) -> None:
        assert self.run(self.store.fail(claim, error)) == self.model.fail(claim, error)

    @rule(claim=claims, counts=st.booleans())
    def requeue(self, claim: Claim, counts: bool) -> None:
        assert self.run(self.store.requeue(claim, counts=counts)) == self.model.requeue(claim, counts=counts)

    @rule(claim=claims)
    def extend(self, claim: Claim) -> None:
        assert self.run(self.store.extend(claim)) == self.model.extend(claim)

    # Operators

    @rule(job_id=jobs)
    def replay(self, job_id: str) -> None:
        assert self.run(self.dead_letters.replay(job_id)) == self.model.replay(job_id)

    @rule(job_id=jobs)
    def discard(self, job_id: str) -> None:
        assert self.run(self.dead_letters.discard(job_id)) == self.model.discard(job_id)

    @rule()
    def list_dead_letters(self) -> None:
        assert [job.id for job in self.run(self.dead_letters.list())] == self.model.list_dead_letters()

    # Faults

    @rule()
    def expire_every_lease(self) -> None:
        for entry, expected in zip(self.entries(), self.model.backlog, strict=True):
            if expected.is_claimed:
                self.redis.xclaim(self.keys.backlog, WORKERS, WORKERS, 0, [entry], idle=3_600_000, justid=True)
                expected.has_expired_lease = True

    @rule(job_id=jobs, only_its_payload=st.booleans())
    def expire(self, job_id: str, only_its_payload: bool) -> None:
        self.redis.delete(self.keys.payload(job_id))
        self.model.jobs[job_id].has_payload = False
        if not only_its_payload:
            self.redis.delete(self.keys.job(job_id))
            self.redis.zadd(self.keys.unfinished(self.model.jobs[job_id].owner or ""), {job_id: 1}, xx=True)
            self.model.expire(job_id)

    @rule()
    def flush_scripts(self) -> None:
        self.redis.script_flush()

    # Invariants

    @invariant()
    def each_job_equals_its_model(self) -> None:
        for job_id, job in self.model.jobs.items():
            fields = self.hash(job_id)
            assert bool(fields) is not job.has_expired
            if fields:
                assert fields[b"status"].decode() == job.status
                assert (int(fields.get(b"token", 0)), int(fields.get(b"attempts", 0))) == (job.token, job.attempts)
                assert fields.get(b"output") == (job.output.encode() if job.output else None)
                assert fields.get(b"error") == (job.error.encode() if job.error else None)

    @invariant()
    def an_ended_job_never_changes(self) -> None:
        for job_id, job in self.model.jobs.items():
            if job.is_final and not job.has_expired:
                assert self.hash(job_id) == self.final_hashes.setdefault(job_id, self.hash(job_id))
            else:
                self.final_hashes.pop(job_id, None)

    @invariant()
    def only_jobs_that_have_not_ended_have_an_entry_and_each_has_one(self) -> None:
        backlog = list(self.entries().values())
        assert backlog == [entry.job_id for entry in self.model.backlog]
        live = {job_id: job for job_id, job in self.model.jobs.items() if not job.has_expired}
        assert sorted(set(backlog) & set(live)) == sorted(job_id for job_id in live if not live[job_id].is_final)
        assert len(set(backlog)) == len(backlog)

    @invariant()
    def the_claimed_jobs_are_those_being_processed(self) -> None:
        entries = self.entries()
        if not entries or not self.redis.xinfo_groups(self.keys.backlog):
            return  # there was no claim yet
        pending = self.redis.xpending_range(self.keys.backlog, WORKERS, "-", "+", 100)
        claimed = [entries[cast(bytes, entry["message_id"])] for entry in pending]
        assert claimed == [entry.job_id for entry in self.model.backlog if entry.is_claimed]
        assert all(self.model.jobs[job_id].status == "processing" for job_id in claimed)

    @invariant()
    def a_payload_is_stored_until_its_job_ends_and_while_it_is_a_dead_letter(self) -> None:
        payloads = {job_id for job_id in self.model.jobs if self.redis.exists(self.keys.payload(job_id))}
        assert payloads == {job_id for job_id, job in self.model.jobs.items() if job.has_payload}
        assert {job_id for job_id in payloads if self.model.jobs[job_id].is_final} <= set(self.model.dead_letters)

    @invariant()
    def the_dead_letters_are_the_newest_failed_jobs(self) -> None:
        letters = cast(list[tuple[bytes, float]], self.redis.zrange(self.keys.dead_letters, 0, -1, withscores=True))
        assert {job_id.decode(): failed_at for job_id, failed_at in letters} == self.model.dead_letters
        assert len(letters) <= POLICY.max_dead_letters

    @invariant()
    def the_unfinished_jobs_of_each_owner_count(self) -> None:
        for owner in OWNERS:
            counted = cast(list[bytes], self.redis.zrangebyscore(self.keys.unfinished(owner.id), "(1", "+inf"))
            assert set(map(bytes.decode, counted)) == self.model.unfinished(owner.id)

    @invariant()
    def every_key_has_a_ttl(self) -> None:
        assert [key for key in self.redis.scan_iter() if self.redis.pttl(key) == -1] == []

    def teardown(self) -> None:
        """Check that each end was published once, in order."""
        self.redis.publish(self.keys.ended, STOP)
        published = []
        with closing(self.notifications):
            while (job_id := self.next_notification()) != STOP:
                published.append(job_id)
        assert published == self.model.notifications

    # Inspection

    def hash(self, job_id: str) -> Mapping[bytes, bytes]:
        return cast(Mapping[bytes, bytes], self.redis.hgetall(self.keys.job(job_id)))

    def entries(self) -> dict[bytes, str]:
        listed = cast(list[tuple[bytes, dict[bytes, bytes]]], self.redis.xrange(self.keys.backlog))
        return {entry: fields[b"id"].decode() for entry, fields in listed}

    def next_notification(self) -> str:
        while not (message := self.notifications.get_message(timeout=5)):
            pass
        return cast(bytes, message["data"]).decode()


def test_redis_agrees_with_the_model_after_random_steps(redis_server: RedisServer) -> None:
    with (
        asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner,
        client_in(runner, redis_server) as redis,
        Redis(port=redis_server.port) as observer,
    ):

        class Machine(JobStoreMachine):
            def __init__(self) -> None:
                super().__init__(runner.run, JobStore(redis), observer)

        run_state_machine_as_test(
            Machine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None, database=None)
        )
