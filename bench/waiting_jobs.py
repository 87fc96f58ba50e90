"""Jobs that wait, made by the job store's own API."""

import asyncio
from typing import Final

from bench.photographs import Photograph
from bench.service import Service
from job_store import JobStore

AT_ONCE: Final = 40
"""Submits under way at once, while a backlog is made: fewer than the job store has connections."""
PROVISIONAL: Final = {"model": "mobilenet_v2", "version": 1, "label": "Egyptian cat", "score": 0.412337}
"""What the fast model is supposed to have said of them."""


def fill(service: Service, photograph: Photograph, count: int) -> None:
    """Have `count` more jobs wait."""
    image = photograph.jpeg.read_bytes()

    async def submit(store: JobStore) -> None:
        left = iter(range(count))

        async def one_after_the_other() -> None:
            for _ in left:
                await store.submit(image, PROVISIONAL)

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))

    service.with_store(submit)
