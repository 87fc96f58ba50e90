"""Limits concurrency: requests wait in a bounded queue until a permit is free."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, TypeVar

from proxy.errors import Overloaded

Response = TypeVar("Response")
Request = TypeVar("Request", bound="QueuedRequest[Any]")


@dataclass(slots=True, eq=False, kw_only=True)
class QueuedRequest(Generic[Response]):
    response: asyncio.Future[Response] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    timeout: asyncio.Timeout = field(init=False)
    """Limits the wait in the queue, not the work that follows it."""


class AdmissionQueue(ABC, Generic[Request]):
    """A first-in, first-out queue for `concurrency` permits.

    A request is refused immediately when `max_queued` requests are waiting, and after `timeout` in the queue. A queue
    without limits would grow under overload until every response came too late.
    """

    def __init__(self, resource: str, *, concurrency: int, max_queued: int, timeout: timedelta) -> None:
        """`resource` is the name, in error messages to clients, of what requests wait for."""
        self._resource = resource
        self._permits = concurrency
        self._max_queued = max_queued
        self._timeout_s = timeout.total_seconds()
        self._queue: deque[Request] = deque()

    async def _submit(self, request: Request) -> None:
        """Queue a request and wait for its response to be set. Raises `Overloaded`, or the response's own error."""
        if not self._permits and len(self._queue) >= self._max_queued:
            raise Overloaded(f"{self._resource}'s queue is full (limit: {self._max_queued}): try again in a moment")
        try:
            async with asyncio.timeout(self._timeout_s) as request.timeout:
                self._queue.append(request)
                self._dispatch()
                await request.response
        except (asyncio.CancelledError, TimeoutError) as error:
            with suppress(ValueError):
                self._queue.remove(request)
            if isinstance(error, asyncio.CancelledError):
                raise
            raise Overloaded(
                f"timed out after {self._timeout_s:g} s waiting for {self._resource}: try again in a moment"
            ) from None

    def _peek(self) -> Request | None:
        """Return the oldest request that is still waiting, and drop cancelled requests before it."""
        while self._queue and self._queue[0].response.done():
            self._queue.popleft()
        return self._queue[0] if self._queue else None

    def _admit(self) -> Request:
        """Remove the oldest request from the queue, and stop its timeout."""
        request = self._queue.popleft()
        request.timeout.reschedule(None)
        return request

    def _release(self) -> None:
        self._permits += 1
        self._dispatch()

    @abstractmethod
    def _dispatch(self) -> None:
        """Admit queued requests while there are free permits."""


class ConcurrencyLimit(AdmissionQueue[QueuedRequest[None]]):
    """`async with limit:` holds a permit. Raises `Overloaded` when there is none in time."""

    async def __aenter__(self) -> None:
        request = QueuedRequest[None]()
        try:
            await self._submit(request)
        except asyncio.CancelledError:
            if request.response.done() and not request.response.cancelled():
                self._release()  # cancelled after the permit was granted, before this task ran again
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._release()

    def _dispatch(self) -> None:
        while self._permits and self._peek():
            self._permits -= 1
            self._admit().response.set_result(None)
