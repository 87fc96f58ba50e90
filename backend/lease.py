"""Keeps a worker's claims its own for as long as it works on them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import hop_log
from job_store import Claim, JobStore, StoreUnavailable

BEATS: Final = 3
"""Times a lease is started anew before it would run out, so that a lost beat or two cost nothing."""


@asynccontextmanager
async def held(store: JobStore, claims: Mapping[str, Claim]) -> AsyncIterator[None]:
    """Extend the leases of whatever is in `claims` for as long as the context lasts."""
    beating = asyncio.create_task(_beat(store, claims))
    try:
        yield
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def _beat(store: JobStore, claims: Mapping[str, Claim]) -> None:
    while True:
        await asyncio.sleep(store.policy.lease.total_seconds() / BEATS)
        with suppress(StoreUnavailable):
            for claim in tuple(claims.values()):
                if not await store.extend(claim):
                    hop_log.get().warning("× lease", job=claim.job_id, attempt=claim.attempt)
