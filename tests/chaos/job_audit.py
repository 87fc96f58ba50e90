"""Audits accepted jobs: each ends exactly once, with the label of its own image, and leaves nothing behind in Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, cast

from background_task import background_task
from harness.waiting import wait_until
from job_store import Job, JobStore, StoreUnavailable
from job_store.connection import redis_errors
from tests.chaos.traffic import SAME_FOR_ALL, Tally

Fields = Mapping[bytes, bytes]
SETTLE_TIMEOUT_S: Final = 30.0
POLL_INTERVAL_S: Final = 0.1
MAX_PIPELINE: Final = 500
FLUSH_MARKER: Final = "flush"


@dataclass(slots=True)
class AuditResult:
    succeeded: int = 0
    failed: int = 0
    lost: list[str] = field(default_factory=list)
    """Ids of accepted jobs that have not ended."""
    duplicated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Jobs that ended with another label than expected."""
    leftovers: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        lost = [f"{job_id} has not ended" for job_id in self.lost]
        return [*lost, *self.duplicated, *self.wrong, *self.leftovers]


class JobAudit:
    """Polls the jobs in a tally and listens to their completions, so that a change after a job's end is detected."""

    def __init__(self, store: JobStore, tally: Tally) -> None:
        self._store = store
        self._tally = tally
        self._final: dict[str, Fields] = {}
        """Each job's hash when it was first seen in a final state."""
        self._changes: dict[str, str] = {}
        """Jobs that changed afterwards, and how."""
        self._announcements: Counter[str] = Counter()
        self._is_subscribed = False
        self._was_disconnected = False
        self._labels: set[str] = set()
        """Labels of jobs that must all have the same one."""
        self._reading = asyncio.Lock()
        """Keeps reads in order; otherwise a stale read would look like a change."""

    @asynccontextmanager
    async def observation(self) -> AsyncIterator[None]:
        self._existing = await self._job_ids()
        async with background_task(self._listen()), background_task(self._poll()):
            await wait_until(lambda: self._is_subscribed, within=5)
            self._was_disconnected = False
            yield

    def has_ended(self, job_id: str) -> bool:
        return job_id in self._final

    async def wait_for_announcements(self, job_id: str, count: int) -> None:
        await wait_until(lambda: self._announcements[job_id] >= count)

    async def settle(self, timeout: float = SETTLE_TIMEOUT_S) -> bool:
        """Wait until all accepted jobs have ended and the backlog is empty. Return False after `timeout` seconds."""

        async def is_settled() -> bool:
            try:
                await self._observe(self._unfinished())
                return not self._unfinished() and await self._store.backlog_length() == 0
            except StoreUnavailable:
                return False

        try:
            return await wait_until(is_settled, within=timeout, every=0.05)
        except AssertionError:
            return False

    async def result(self) -> AuditResult:
        """Read every job once more, look for leftovers in Redis, and check both."""
        await self._observe(self._tally.accepted)
        await self._receive_pending_announcements()
        result = AuditResult(
            lost=self._unfinished(), duplicated=[f"{job_id} was returned twice" for job_id in self._tally.reused_ids]
        )
        for job_id in self._tally.accepted:
            if job_id in self._final:
                job = Job.from_redis(job_id, self._final[job_id], expires_at_ms=0)
                result.succeeded += job.output is not None
                result.failed += job.output is None
                result.duplicated += self._duplicate_ends(job)
                result.wrong += self._wrong_label(job)
        result.leftovers = [leftover async for leftover in self._leftovers()]
        return result

    async def _receive_pending_announcements(self) -> None:
        count = self._announcements[FLUSH_MARKER]
        await self._store.redis.publish(self._store.keys.ended, FLUSH_MARKER)
        if self._is_subscribed:
            await self.wait_for_announcements(FLUSH_MARKER, count + 1)

    def _duplicate_ends(self, job: Job) -> Iterable[str]:
        if job.id in self._changes:
            yield f"{job.id} changed after its end: {self._changes[job.id]}"
        count = self._announcements[job.id]
        if count > 1 or (count == 0 and not self._was_disconnected):
            yield f"{job.id}'s end was announced {count} times"

    def _wrong_label(self, job: Job) -> Iterable[str]:
        label = str(job.output["label"]) if job.output is not None else None
        expected = self._tally.accepted[job.id]
        if label is not None and expected == SAME_FOR_ALL:
            self._labels.add(label)
            if len(self._labels) > 1:
                yield f"{job.id} has a different label from other jobs with the same image: {self._labels}"
        elif label != expected:
            yield f"{job.id} ended with {label or job.error} instead of {expected}"

    async def _leftovers(self) -> AsyncIterator[str]:
        store, redis, keys = self._store, self._store.redis, self._store.keys
        if entries := await store.backlog_length():
            yield f"{entries} entries in the backlog"
        groups = await redis.xinfo_groups(keys.backlog) if await redis.exists(keys.backlog) else []
        if pending := sum(group["pending"] for group in groups):
            yield f"{pending} entries in the pending list"
        dead_letters = await redis.zrange(keys.dead_letters, 0, -1)
        retained = {keys.payload(cast(bytes, job_id).decode()) for job_id in dead_letters}
        async for key in redis.scan_iter(count=1000):
            if await redis.ttl(key) == -1:
                yield f"{key.decode()} has no TTL"
            if key.decode().startswith(keys.payload("")) and key.decode() not in retained:
                yield f"{key.decode()} still exists"
        unknown = await self._job_ids() - self._existing - set(self._tally.accepted)
        if len(unknown) > self._tally.posts_without_id:
            yield f"{len(unknown)} unknown jobs from {self._tally.posts_without_id} posts that returned no job id"
        for job_id, fields in zip(unknown, await self._read(unknown), strict=True):
            if not Job.from_redis(job_id, fields, expires_at_ms=0).status.is_final:
                yield f"{job_id}, whose id was not returned to a client, has not ended"

    def _unfinished(self) -> list[str]:
        return [job_id for job_id in self._tally.accepted if job_id not in self._final]

    async def _observe(self, job_ids: Iterable[str]) -> None:
        async with self._reading:
            ids = list(job_ids)
            for job_id, fields in zip(ids, await self._read(ids), strict=True):
                self._record(job_id, fields)

    def _record(self, job_id: str, fields: Fields) -> None:
        final = self._final.get(job_id)
        if final is None and fields and Job.from_redis(job_id, fields, expires_at_ms=0).status.is_final:
            self._final[job_id] = fields
        elif final is not None and fields != final:
            self._changes[job_id] = f"{final} became {fields}" if fields else "it was deleted"

    async def _read(self, job_ids: Iterable[str]) -> list[Fields]:
        ids, hashes = list(job_ids), list[Fields]()
        for start in range(0, len(ids), MAX_PIPELINE):
            with redis_errors():
                async with self._store.redis.pipeline(transaction=False) as pipe:
                    for job_id in ids[start : start + MAX_PIPELINE]:
                        pipe.hgetall(self._store.keys.job(job_id))
                    hashes += cast(list[Fields], await pipe.execute())
        return hashes

    async def _job_ids(self) -> set[str]:
        prefix = self._store.keys.job("")
        return {key.decode().removeprefix(prefix) async for key in self._store.redis.scan_iter(f"{prefix}*", 1000)}

    async def _poll(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                await self._observe(self._unfinished())
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _listen(self) -> None:
        while True:
            try:
                with redis_errors():
                    await self._count_announcements()
            except StoreUnavailable:
                self._was_disconnected, self._is_subscribed = True, False
                await asyncio.sleep(0.05)

    async def _count_announcements(self) -> None:
        async with self._store.redis.pubsub() as subscription:
            await subscription.subscribe(self._store.keys.ended)
            while True:
                message = await subscription.get_message(timeout=1)
                if message and message["type"] == "subscribe":
                    self._is_subscribed = True
                elif message:
                    self._announcements[message["data"].decode()] += 1
