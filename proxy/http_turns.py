"""Lets connections that have sent much at once take turns, so that they do not delay all others."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_TURNS: Final = 4
"""In one iteration of the event loop. A request of another client takes about ten iterations."""


class Turns:
    """Calls functions later, oldest first. Shared by all connections."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def add(self, function: Callable[[], None]) -> None:
        self._waiting.append(function)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(min(MAX_TURNS, len(self._waiting))):
            loop.call_soon(self._waiting.popleft())
        if self._waiting:
            loop.call_soon(self._start)
