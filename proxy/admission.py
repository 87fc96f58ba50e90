"""How many may be at some work at once, and how many may wait for that."""

import asyncio
from datetime import timedelta
from types import TracebackType

from proxy.errors import Overloaded


class Admission:
    """Those that find no place wait, first come first served. When too many wait, the next is refused at once: a pile
    that grows answers nobody in time.
    """

    def __init__(self, at_once: int, waiting: int, patience: timedelta) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = waiting
        self._patience_s = patience.total_seconds()
        self._waiting = 0

    async def __aenter__(self) -> None:
        """Raises `Overloaded`."""
        if self._places.locked() and self._waiting >= self._most:
            raise Overloaded(f"{self._most} requests are waiting already: try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded(f"no turn came in {self._patience_s:g} s: try again in a moment") from None
        finally:
            self._waiting -= 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._places.release()
