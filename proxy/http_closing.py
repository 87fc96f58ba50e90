"""When and how a connection ends: timeouts, refusals, and the shutdown of the process."""

import asyncio
import socket
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from random import uniform
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

import service_log
from proxy.http_flow import BoundedFlowControl
from proxy.http_limits import LIMITS_KEY, LISTENERS_KEY, HttpLimits
from proxy.http_refusals import refusal

LOG_INTERVAL_S: Final = 5.0
"""Between two log lines that say the connection limit is reached."""
LINGER_S: Final = 1.0
"""How long a client may go on sending after the last response before the connection closes. Closing it with unread
input would reset it, and the client might not see the response."""
MAX_REFUSED: Final = 100
"""Connections beyond the limit that get a response and may linger. Further ones are closed at once."""
MAX_REFUSED_AT_ONCE: Final = 64
"""Connections that are closed together, unseen by the event loop and uvicorn, which take twenty times as long for it.
Whatever else the process has to do waits meanwhile."""
MAX_KEEP_ALIVE_FACTOR: Final = 1.5
"""Connections that were opened together, such as those of a flood, do not close together and open again together."""
DRAIN_S: Final = 1.0
"""How long an idle connection may still send a request when the process stops."""


class ClosingHttpProtocol(HttpToolsProtocol):
    """Closes connections that are slow or beyond the limit, after a response where one is possible."""

    last_limit_log_s: ClassVar[float] = float("-inf")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits: HttpLimits = self.app_state.get(LIMITS_KEY) or HttpLimits()
        keep_alive_s = self.limits.keep_alive_timeout.total_seconds()
        self.timeout_keep_alive = keep_alive_s * uniform(1, MAX_KEEP_ALIVE_FACTOR)  # type: ignore[assignment] # noqa: S311 (no secret)
        self._head_timeout_s = self.limits.head_timeout.total_seconds()
        self._unparsed = bytearray()
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._is_in_body = False
        self._head_bytes = 0
        """Of the current head, chunk framing and trailers; 0 between requests."""
        self._ignores_input = False
        self._is_lingering = False
        self._is_draining = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self.flow = BoundedFlowControl(transport, self)
        if len(self.connections) <= self.limits.max_connections:
            self._start_head_timer()
            return
        self._log_connection_limit()
        if len(self.connections) <= self.limits.max_connections + MAX_REFUSED:
            self.transport.write(refusal(HTTPStatus.SERVICE_UNAVAILABLE))
            self._linger()
        else:
            self._ignores_input = True
            self.transport.abort()
            for listener in self.app_state.get(LISTENERS_KEY, []):
                _refuse_waiting(listener)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self._unparsed.clear()
        for cycle in self._unanswered:  # uvicorn does this only for the newest
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def _drop_references(self) -> None:
        """Break the circular references of a closed connection.

        Otherwise, the garbage collector finds those of thousands of connections at once, and stops the event loop for
        0.1 s.
        """
        self.cycle = None  # type: ignore[assignment] # as before the first request
        self.flow = None  # type: ignore[assignment] # as before the connection is made
        self._unanswered.clear()
        self.pipeline.clear()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None

    # uvicorn's callbacks

    def on_response_complete(self) -> None:
        if self._is_lingering:
            return
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._start_write_timer()

    def shutdown(self) -> None:
        """Answer what has been received, and one more request if none is unanswered, then close the connection."""
        self._is_draining = True
        if self._unanswered:
            self._unanswered[-1].keep_alive = False
        elif not self._head_bytes and not self._ignores_input:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(DRAIN_S, self.transport.close)

    def close_after_response(self) -> None:
        """Close the connection so that the client can read the response, even if it is still sending a body."""
        if (self._is_in_body or self._unparsed) and not self.transport.is_closing():
            self._linger()
        else:
            self.transport.close()

    def has_room(self) -> bool:
        """Return True if more input may be read into memory."""
        raise NotImplementedError

    # Timeouts

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_timeout_s, self._on_head_timeout)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _start_write_timer(self) -> None:
        """Reset the connection unless the client reads its responses in time."""
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._head_timeout_s, self.transport.abort)

    def _stop_timers(self) -> None:
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def _on_head_timeout(self) -> None:
        self._head_timer = None
        if self._unanswered or self.transport.is_closing():
            return  # the timer starts again with the response
        if self._head_bytes and not self._is_in_body:
            self._reject(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    # Refusals

    def _reject(self, status: HTTPStatus) -> None:
        """Answer with an error if no response is pending, and close the connection."""
        service_log.get_logger().info("request refused", status=status.value, client=self.client and self.client[0])
        if self._unanswered:
            self.transport.close()
        else:
            self.transport.write(refusal(status))
            self._linger()

    def _linger(self) -> None:
        """Ignore further input, and close the connection after a moment."""
        self._ignores_input = self._is_lingering = True
        self._unparsed.clear()
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if not self.transport.is_closing():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def _log_connection_limit(self) -> None:
        now = self.loop.time()
        if now - ClosingHttpProtocol.last_limit_log_s >= LOG_INTERVAL_S:
            ClosingHttpProtocol.last_limit_log_s = now
            limit = self.limits.max_connections
            service_log.get_logger().warning("connection limit reached", max_connections=limit)


def _refuse_waiting(listener: socket.socket) -> None:
    with suppress(OSError):  # BlockingIOError: there are no more
        for _ in range(MAX_REFUSED_AT_ONCE):
            connection, _ = listener.accept()
            connection.close()
