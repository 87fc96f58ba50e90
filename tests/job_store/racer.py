"""A process of `test_races.py`: it submits jobs and works on them badly, and says what it was told came of it.

    python -m tests.job_store.racer URL SEED JOBS

One JSON object a line: {"submitted": id}, {"ended": id, "as": output or error} for each end that was accepted, and
{"refused": id} for each that came too late. SIGTERM ends it.
"""

import asyncio
import json
import random
import signal
import sys
from datetime import timedelta
from typing import Final

from job_store import BacklogListener, Claim, JobStore, Policy, connect

POLICY: Final = Policy(lease=timedelta(milliseconds=30), max_attempts=3, max_dead_letters=20)
WORKERS: Final = 4
"""How many clients of their own, each a submitter and a worker, one process has."""

SECOND: Final = timedelta(seconds=1)


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Racer:
    def __init__(self, url: str, chance: random.Random) -> None:
        self._redis = connect(url, name="racer", timeout=10 * SECOND)
        self._store = JobStore(self._redis, POLICY)
        self._bell = BacklogListener.connect(
            url, name="bell", keys=self._store.keys, block_for=POLICY.lease, margin=10 * SECOND
        )
        self._chance = chance
        self._abandoned: list[Claim] = []

    async def submit(self, jobs: int) -> None:
        for _ in range(jobs):
            say(submitted=await self._store.submit(b"payload", {}))

    async def work(self) -> None:
        while True:
            result = await self._store.claim(self._chance.randint(1, 5))
            for claim in result.claims:
                await self._treat(claim)
            if self._abandoned and self._chance.random() < 0.5:
                await self._end(self._abandoned.pop(0))
            elif not result.claims:
                await self._bell.wait(result.last_entry)

    async def close(self) -> None:
        await self._redis.aclose()
        await self._bell.redis.aclose()

    async def _treat(self, claim: Claim) -> None:
        match self._chance.choices(["end", "abandon", "requeue", "extend"], [5, 2, 1, 1])[0]:
            case "end":
                await self._end(claim)
            case "abandon":
                self._abandoned.append(claim)
            case "requeue":
                await self._store.requeue(claim, counts=self._chance.random() < 0.5)
            case "extend":
                await self._store.extend(claim)
                await self._end(claim)

    async def _end(self, claim: Claim) -> None:
        """End it as nobody else does, and say so twice: the second time changes nothing."""
        end = f"{self._chance.getrandbits(64):x} at token {claim.token}"
        if self._chance.random() < 0.9:
            accepted = await self._store.finish(claim, {"label": end})
            await self._store.finish(claim, {"label": "told twice"})
        else:
            accepted = await self._store.fail(claim, end)
            await self._store.fail(claim, "told twice")
        if accepted:
            say(ended=claim.job_id, **{"as": end})
        else:
            say(refused=claim.job_id)


async def race(url: str, seed: str, jobs: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    racers = [Racer(url, random.Random(f"{seed} {number}")) for number in range(WORKERS)]
    async with asyncio.TaskGroup() as group:
        for racer in racers:
            group.create_task(racer.submit(jobs // WORKERS))
        work = [group.create_task(racer.work()) for racer in racers]
        await stopped.wait()
        for worker in work:
            worker.cancel()
    for racer in racers:
        await racer.close()


if __name__ == "__main__":
    asyncio.run(race(sys.argv[1], sys.argv[2], int(sys.argv[3])))
