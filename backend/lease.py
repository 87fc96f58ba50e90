"""Keeps a worker's claims its own for as long as it works on them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import service_log
from background_task import background_task
from job_store import Claim, JobStore, StoreUnavailable

BEATS: Final = 3
"""Times a lease is started anew before it would run out. A beat is given up when the next is due, so one that gets lost
costs nothing."""


@asynccontextmanager
async def held(store: JobStore, claims: Mapping[str, Claim]) -> AsyncIterator[None]:
    """Extend the leases of whatever is in `claims` for as long as the context lasts."""
    async with background_task(_beat(store, claims)):
        yield


async def _beat(store: JobStore, claims: Mapping[str, Claim]) -> None:
    loop = asyncio.get_running_loop()
    interval = store.policy.lease.total_seconds() / BEATS
    lost: set[str] = set()
    due = loop.time()
    while True:
        due = max(due + interval, loop.time())  # after a long halt of this process, one beat and not all that it missed
        await asyncio.sleep(due - loop.time())
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due + interval):
                await asyncio.gather(*(_extend(store, claims, claim, lost) for claim in tuple(claims.values())))


async def _extend(store: JobStore, claims: Mapping[str, Claim], claim: Claim, lost: set[str]) -> None:
    with suppress(StoreUnavailable):
        extended = await store.extend(claim)
        ended_meanwhile = claims.get(claim.job_id) is not claim
        if not extended and not ended_meanwhile and claim.job_id not in lost:
            lost.add(claim.job_id)
            service_log.get_logger().warning("lease lost", job=claim.job_id, attempt=claim.attempt)
