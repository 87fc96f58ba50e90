"""Extends the leases of claimed jobs, so that no other worker claims them while this one works on them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import service_log
from background_task import background_task
from job_store import Claim, JobStore, StoreUnavailable

HEARTBEATS_PER_LEASE: Final = 3
"""A heartbeat times out when the next one is due, so a single lost heartbeat does not lose the lease."""


@asynccontextmanager
async def heartbeat(store: JobStore, claims: Mapping[str, Claim]) -> AsyncIterator[None]:
    """Until the context ends, extend the leases of the jobs in `claims`, from which the caller removes ended jobs."""
    async with background_task(_send_heartbeats(store, claims)):
        yield


async def _send_heartbeats(store: JobStore, claims: Mapping[str, Claim]) -> None:
    loop = asyncio.get_running_loop()
    interval = store.policy.lease.total_seconds() / HEARTBEATS_PER_LEASE
    lost: set[str] = set()
    due = loop.time()
    while True:
        due = max(due + interval, loop.time())  # a process that was suspended does not catch up on missed heartbeats
        await asyncio.sleep(due - loop.time())
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due + interval):
                await asyncio.gather(*(_extend(store, claims, claim, lost) for claim in tuple(claims.values())))


async def _extend(store: JobStore, claims: Mapping[str, Claim], claim: Claim, lost: set[str]) -> None:
    with suppress(StoreUnavailable):
        is_extended = await store.extend(claim)
        has_ended = claims.get(claim.job_id) is not claim
        if not is_extended and not has_ended and claim.job_id not in lost:
            lost.add(claim.job_id)
            service_log.get_logger().warning("lease lost", job=claim.job_id, attempt=claim.attempt)
