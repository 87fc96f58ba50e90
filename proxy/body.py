"""Reads a request's body, and refuses one that is too large, too slow, or more than the byte budget has room for."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.requests import ClientDisconnect, Request

from proxy.byte_budget import Upload
from proxy.errors import TooLarge, TooSlow

MAX_DISCARDED: Final = 8
"""An oversized body is read and discarded up to this many times the limit, since many clients send all of a body before
they read the response."""


@dataclass(frozen=True, slots=True)
class BodyRate:
    """How fast a body must arrive. Otherwise clients that stall would occupy the byte budget."""

    timeout: timedelta
    """For the whole body."""
    min_bytes_per_s: int
    """A larger body must arrive faster: at the rate that is needed to arrive within `timeout`."""
    grace: timedelta
    """How long a body may make no progress. One that arrives faster than it must gains no more time than this."""

    def required(self, size: int) -> float:
        """Return the bytes per second that a body of `size` bytes must reach."""
        return max(self.min_bytes_per_s, size / self.timeout.total_seconds())


async def read_body(request: Request, max_bytes: int, rate: BodyRate, upload: Upload) -> bytes:
    """Return the body, whose bytes the HTTP server counts in `upload` as they arrive.

    Raises `TooLarge`, `TooSlow`, `Overloaded`, or Starlette's `ClientDisconnect`.
    """
    timeout_s = rate.timeout.total_seconds()
    try:
        async with asyncio.timeout(min(timeout_s, rate.grace.total_seconds())) as stall:
            return await _read(request, max_bytes, rate, upload, stall)
    except TimeoutError:
        raise TooSlow(
            f"the body arrived too slowly: send all of it within {timeout_s:g} s, and at no time less than "
            f"{rate.min_bytes_per_s} bytes a second, or send less"
        ) from None


async def _read(request: Request, max_bytes: int, rate: BodyRate, upload: Upload, stall: asyncio.Timeout) -> bytes:
    loop, grace_s = asyncio.get_running_loop(), rate.grace.total_seconds()
    last_deadline = loop.time() + rate.timeout.total_seconds()
    chunks: list[bytes] = []
    received, more = 0, True
    while more and received <= MAX_DISCARDED * max_bytes:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if upload.is_refused and received <= max_bytes:
            raise upload.budget.refusal
        chunk, more = message.get("body", b""), message.get("more_body", False)
        received += len(chunk)
        chunks.append(chunk)
        if received > max_bytes:
            chunks.clear()
            upload.release()
        if more:
            earned_s = len(chunk) / rate.required(max(received, upload.declared_bytes))
            deadline = (stall.when() or 0.0) + earned_s
            stall.reschedule(min(deadline, loop.time() + grace_s, last_deadline))
    if received > max_bytes:
        raise TooLarge(f"the body has more than {max_bytes} bytes: send a smaller file")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
