"""Fills the backlog through the job store, without the proxy."""

import asyncio
from typing import Final

from bench.photographs import Photograph
from bench.service import Service
from job_store import JobStore

CONCURRENCY: Final = 40
"""Concurrent submits: fewer than the job store has connections."""
PROVISIONAL: Final = {"model": "mobilenet_v2", "version": 1, "label": "Egyptian cat", "score": 0.412337}
"""The fast model's answer that each job is submitted with."""


def fill_backlog(service: Service, photograph: Photograph, count: int) -> None:
    """Queue `count` more jobs."""
    payload = photograph.jpeg.read_bytes()

    async def submit_all(store: JobStore) -> None:
        remaining = iter(range(count))

        async def submit() -> None:
            for _ in remaining:
                await store.submit(payload, PROVISIONAL)

        await asyncio.gather(*(submit() for _ in range(CONCURRENCY)))

    service.with_store(submit_all)
