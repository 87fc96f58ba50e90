"""A process of `test_races.py`: submits jobs, and claims them as an unreliable worker.

    python -m tests.job_store.racer URL SEED JOBS

Prints one JSON object per line: {"submitted": id} for each job, {"ended": id, "result": output or error} for each
recorded result, and {"refused": id} for each late result. SIGTERM ends the process.
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
CLIENTS: Final = 4
"""In one process. Each has its own connections, submits jobs and works on them."""

SECOND: Final = timedelta(seconds=1)


def report(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Racer:
    def __init__(self, url: str, rng: random.Random) -> None:
        self._redis = connect(url, name="racer", timeout=10 * SECOND)
        self._store = JobStore(self._redis, POLICY)
        self._listener = BacklogListener.connect(
            url, name="listener", keys=self._store.keys, block_for=POLICY.lease, margin=10 * SECOND
        )
        self._rng = rng
        self._abandoned: list[Claim] = []

    async def submit(self, jobs: int) -> None:
        for _ in range(jobs):
            report(submitted=await self._store.submit(b"payload", {}))

    async def work(self) -> None:
        while True:
            result = await self._store.claim(self._rng.randint(1, 5))
            if result.has_expired_leases:
                result = await self._store.reclaim()
            for claim in result.claims:
                await self._handle(claim)
            if self._abandoned and self._rng.random() < 0.5:
                await self._end(self._abandoned.pop(0))
            elif not result.claims:
                await self._listener.wait(result.last_entry)

    async def close(self) -> None:
        await self._redis.aclose()
        await self._listener.redis.aclose()

    async def _handle(self, claim: Claim) -> None:
        match self._rng.choices(["end", "abandon", "requeue", "extend"], [5, 2, 1, 1])[0]:
            case "end":
                await self._end(claim)
            case "abandon":
                self._abandoned.append(claim)
            case "requeue":
                await self._store.requeue(claim, counts=self._rng.random() < 0.5)
            case "extend":
                await self._store.extend(claim)
                await self._end(claim)

    async def _end(self, claim: Claim) -> None:
        """Record a result that no other claim records, and then a second one, which must change nothing."""
        result = f"{self._rng.getrandbits(64):x} at token {claim.token}"
        if self._rng.random() < 0.9:
            recorded = await self._store.finish(claim, {"label": result})
            await self._store.finish(claim, {"label": "recorded twice"})
        else:
            recorded = await self._store.fail(claim, result)
            await self._store.fail(claim, "recorded twice")
        if recorded:
            report(ended=claim.job_id, result=result)
        else:
            report(refused=claim.job_id)


async def race(url: str, seed: str, jobs: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    racers = [Racer(url, random.Random(f"{seed} {number}")) for number in range(CLIENTS)]
    async with asyncio.TaskGroup() as group:
        for racer in racers:
            group.create_task(racer.submit(jobs // CLIENTS))
        work = [group.create_task(racer.work()) for racer in racers]
        await stopping.wait()
        for worker in work:
            worker.cancel()
    for racer in racers:
        await racer.close()


if __name__ == "__main__":
    asyncio.run(race(sys.argv[1], sys.argv[2], int(sys.argv[3])))
