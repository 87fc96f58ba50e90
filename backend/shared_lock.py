"""A reader-writer lock: batches share it, and a job that may kill the worker holds it alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class SharedLock:
    """A caller that waits for exclusive use keeps new callers out, so it waits only for the current holders."""

    def __init__(self) -> None:
        self._sharing = 0
        self._exclusive_callers = 0
        """That hold the lock or wait for it."""
        self._is_exclusive = False
        self._released = asyncio.Event()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        await self._wait_while(lambda: self._exclusive_callers > 0)
        self._sharing += 1
        try:
            yield
        finally:
            self._sharing -= 1
            self._released.set()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        self._exclusive_callers += 1
        try:
            await self._wait_while(lambda: self._is_exclusive or self._sharing > 0)
            self._is_exclusive = True
            try:
                yield
            finally:
                self._is_exclusive = False
        finally:
            self._exclusive_callers -= 1
            self._released.set()

    async def _wait_while(self, is_held: Callable[[], bool]) -> None:
        while is_held():
            self._released.clear()
            await self._released.wait()
