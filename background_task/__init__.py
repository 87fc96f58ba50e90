"""Runs a coroutine in the background of an `async with` block."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def background_task(coroutine: Coroutine[object, object, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Start the coroutine as a task, and cancel the task when the context ends.

    If the coroutine has raised an exception, it is raised again when the context ends.
    """
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
