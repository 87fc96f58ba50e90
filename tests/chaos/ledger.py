"""What became of each job that a client was given the id of: read from Redis, and heard on its channel."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, cast

from harness.waiting import wait_until
from job_store import Job, JobStore, StoreUnavailable
from job_store.connection import redis_errors
from tests.chaos.traffic import ALIKE, Told

Fields = Mapping[bytes, bytes]
SETTLES_WITHIN_S: Final = 30.0
LOOK_EVERY_S: Final = 0.1
AT_ONCE: Final = 500
LAST_WORD: Final = "that was all"


@dataclass
class Verdict:
    succeeded: int = 0
    failed: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Completions that these images can't have."""
    left_behind: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.left_behind)


class Ledger:
    def __init__(self, store: JobStore, told: Told) -> None:
        self._store = store
        self._told = told
        self._ended: dict[str, Fields] = {}
        """Each job as it was when its end was first seen."""
        self._announced: Counter[str] = Counter()
        self._is_listening = False
        self._heard_all = True
        self._changed: dict[str, str] = {}
        self._alike: set[str] = set()
        self._looking = asyncio.Lock()
        """What is read first is noted first: else a job would seem to go back from its end."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        self._before = await self._job_ids()
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._keep_looking())]
        await wait_until(lambda: self._is_listening, within=5)
        self._heard_all = True
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def has_ended(self, job_id: str) -> bool:
        return job_id in self._ended

    async def heard(self, job_id: str, times: int) -> None:
        """Return when the job's end has been announced that often."""
        await wait_until(lambda: self._announced[job_id] >= times)

    async def settle(self, within: float = SETTLES_WITHIN_S) -> bool:
        """Wait until every accepted job has ended and nothing is in the backlog. False: that did not come to be."""

        async def is_settled() -> bool:
            try:
                await self._look(self._unfinished())
                return not self._unfinished() and await self._store.backlog_length() == 0
            except StoreUnavailable:
                return False

        try:
            return await wait_until(is_settled, within=within, every=0.05)
        except AssertionError:
            return False

    async def verdict(self) -> Verdict:
        """Read each job again, and all that is in Redis. Say what is not as it was promised."""
        await self._look(self._told.accepted)
        await self._hear_out()
        verdict = Verdict(
            lost=self._unfinished(), doubled=[f"{job_id} was given out twice" for job_id in self._told.twice]
        )
        for job_id in self._told.accepted:
            if job_id in self._ended:
                job = Job.from_redis(job_id, self._ended[job_id], expires_at_ms=0)
                verdict.succeeded += job.output is not None
                verdict.failed += job.output is None
                verdict.doubled += self._second_ends(job)
                verdict.wrong += self._wrong_ends(job)
        verdict.left_behind = [left async for left in self._left_behind()]
        return verdict

    async def _hear_out(self) -> None:
        """What was announced before this may still be on its way here."""
        said = self._announced[LAST_WORD]
        await self._store.redis.publish(self._store.keys.ended, LAST_WORD)
        if self._is_listening:
            await self.heard(LAST_WORD, said + 1)

    def _second_ends(self, job: Job) -> Iterable[str]:
        if job.id in self._changed:
            yield f"{job.id} changed after its end: {self._changed[job.id]}"
        if self._announced[job.id] > 1 or (self._heard_all and not self._announced[job.id]):
            yield f"{job.id}'s end was announced {self._announced[job.id]} times"

    def _wrong_ends(self, job: Job) -> Iterable[str]:
        label = str(job.output["label"]) if job.output is not None else None
        expected = self._told.accepted[job.id]
        if label is not None and expected == ALIKE:
            self._alike.add(label)
            if len(self._alike) > 1:
                yield f"{job.id} has another label than the others, which have the same image: {self._alike}"
        elif label != expected:
            yield f"{job.id} has ended with {label or job.error}, and not with {expected}"

    async def _left_behind(self) -> AsyncIterator[str]:
        store, redis, keys = self._store, self._store.redis, self._store.keys
        if waiting := await store.backlog_length():
            yield f"{waiting} entries in the backlog"
        groups = await redis.xinfo_groups(keys.backlog) if await redis.exists(keys.backlog) else []
        if pending := sum(group["pending"] for group in groups):
            yield f"{pending} entries in the pending list"
        letters = {
            keys.payload(cast(bytes, member).decode()) for member in await redis.zrange(keys.dead_letters, 0, -1)
        }
        async for key in redis.scan_iter(count=1000):
            if await redis.ttl(key) == -1:
                yield f"{key.decode()} lives for ever"
            if key.decode().startswith(keys.payload("")) and key.decode() not in letters:
                yield f"{key.decode()} is still there"
        unasked = await self._job_ids() - self._before - set(self._told.accepted)
        if len(unasked) > self._told.without_an_id:
            yield f"{len(unasked)} jobs more than were accepted, from {self._told.without_an_id} posts that got no id"
        for job_id, fields in zip(unasked, await self._read(unasked), strict=True):
            if not Job.from_redis(job_id, fields, expires_at_ms=0).status.is_final:
                yield f"{job_id}, whose client got no answer, has not ended"

    def _unfinished(self) -> list[str]:
        return [job_id for job_id in self._told.accepted if job_id not in self._ended]

    async def _look(self, job_ids: Iterable[str]) -> None:
        asked = list(job_ids)
        async with self._looking:
            for job_id, fields in zip(asked, await self._read(asked), strict=True):
                self._note(job_id, fields)

    def _note(self, job_id: str, fields: Fields) -> None:
        end = self._ended.get(job_id)
        if end is None and fields and Job.from_redis(job_id, fields, expires_at_ms=0).status.is_final:
            self._ended[job_id] = fields
        elif end is not None and fields != end:
            self._changed[job_id] = f"{end} became {fields}" if fields else "it is gone"

    async def _read(self, job_ids: Iterable[str]) -> list[Fields]:
        wanted = list(job_ids)
        found: list[Fields] = []
        for first in range(0, len(wanted), AT_ONCE):
            with redis_errors():
                async with self._store.redis.pipeline(transaction=False) as pipe:
                    for job_id in wanted[first : first + AT_ONCE]:
                        pipe.hgetall(self._store.keys.job(job_id))
                    found += cast(list[Fields], await pipe.execute())
        return found

    async def _job_ids(self) -> set[str]:
        prefix = self._store.keys.job("")
        return {key.decode().removeprefix(prefix) async for key in self._store.redis.scan_iter(f"{prefix}*", 1000)}

    async def _keep_looking(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                await self._look(self._unfinished())
            await asyncio.sleep(LOOK_EVERY_S)

    async def _listen(self) -> None:
        while True:
            try:
                with redis_errors():
                    await self._hear()
            except StoreUnavailable:
                self._heard_all = self._is_listening = False
                await asyncio.sleep(0.05)

    async def _hear(self) -> None:
        async with self._store.redis.pubsub() as subscription:
            await subscription.subscribe(self._store.keys.ended)
            while True:
                message = await subscription.get_message(timeout=1)
                if message and message["type"] == "subscribe":
                    self._is_listening = True
                elif message:
                    self._announced[message["data"].decode()] += 1
