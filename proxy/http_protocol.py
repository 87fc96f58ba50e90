"""uvicorn's HTTP protocol on httptools, with limits on everything a connection can hold.

uvicorn parses whatever a read returns (up to 250 KB, which is room for 14,000 pipelined requests), accepts heads of any
size, and resumes reading whenever any request of the connection receives or completes. `BoundedHttpProtocol` buffers
unparsed input instead: outside of bodies it feeds the parser 1 KB at a time, stops while too many requests are
unanswered, counts the bytes that belong to no body, and times how long a head takes.
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, Final

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import service_log
from proxy.http_limits import STATE_KEY, HttpLimits
from proxy.http_refusals import refusal

PIECE_BYTES: Final = 1024
"""Fed to the parser at once outside of bodies. A piece can hold about 50 minimal requests."""
BODY_BYTES_PER_FRAMING_BYTE: Final = 4
"""A chunked body may add a byte of chunk framing for this many bytes of body, beyond `max_head_bytes`."""
LOG_INTERVAL_S: Final = 5.0
"""Between two log lines that say the connection limit is reached."""
LINGER_S: Final = 1.0
"""How long a refused client may go on sending before the connection closes. Closing it with unread input would reset
it, and the client might not see the response."""


class BoundedFlowControl(FlowControl):
    """Resumes reading only if the protocol has room for more input."""

    def __init__(self, transport: asyncio.Transport, protocol: "BoundedHttpProtocol") -> None:
        super().__init__(transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        if self._protocol.has_room():
            super().resume_reading()


class BoundedHttpProtocol(HttpToolsProtocol):
    """Pass this class to uvicorn as `http`. The limits are `HttpLimits` in the lifespan state."""

    last_limit_log_s: ClassVar[float] = float("-inf")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits: HttpLimits = self.app_state.get(STATE_KEY) or HttpLimits()
        self.timeout_keep_alive = self.limits.keep_alive_timeout.total_seconds()  # type: ignore[assignment]
        self._unparsed = bytearray()
        self._unanswered = 0
        self._rejection: HTTPStatus | None = None
        self._is_refused = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_in_body = False
        self._head_bytes = 0
        self._start_message()

    def _start_message(self) -> None:
        self._body_bytes = 0
        self._url_bytes = 0
        self._header_count = 0
        self._content_length = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self.flow = BoundedFlowControl(transport, self)
        if len(self.connections) > self.limits.max_connections:
            self._log_connection_limit()
            self.transport.write(refusal(HTTPStatus.SERVICE_UNAVAILABLE))
            self._is_refused = True
            self.transport.close()
        else:
            self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        self._unparsed.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        if not self._unparsed and len(data) <= self._piece_size() and not self._is_full():
            self._parse(data)  # without a copy
        else:
            self._unparsed += data
        self._parse_buffered()

    # httptools callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_message()

    def on_url(self, url: bytes) -> None:
        self._url_bytes += len(url)
        if self._url_bytes > self.limits.max_url_bytes:
            self._rejection = HTTPStatus.REQUEST_URI_TOO_LONG
        else:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count > self.limits.max_headers:
            self._rejection = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        elif not self._is_in_body:  # uvicorn would append trailers to the headers of a request that is being handled
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._rejection is None:
            self._stop_head_timer()
            self._content_length = next((int(value) for name, value in self.headers if name == b"content-length"), 0)
            self._is_in_body = True
            self._unanswered += 1
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._rejection is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._rejection is None:
            super().on_message_complete()
        self._is_in_body = False
        self._head_bytes = 0

    # uvicorn's callback

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        super().on_response_complete()
        if not self.transport.is_closing():
            if self._is_in_body or self._head_bytes:
                self._start_head_timer()
            self._parse_buffered()

    # Flow control

    def has_room(self) -> bool:
        """Return True if more input may be read into memory."""
        if self._unparsed or self._is_full():
            return False
        return self.cycle is None or self.cycle.response_complete or len(self.cycle.body) <= HIGH_WATER_LIMIT

    def _is_full(self) -> bool:
        return self._unanswered >= self.limits.max_pipelined and not self._is_in_body

    def _piece_size(self) -> int:
        """Return how many bytes may be parsed at once: what is left of a body of known length, or a small piece."""
        return max(PIECE_BYTES, self._content_length - self._body_bytes) if self._is_in_body else PIECE_BYTES

    def _parse_buffered(self) -> None:
        """Parse what was read until it is used up or too many requests are unanswered."""
        while self._unparsed and not self._is_full() and not self._is_refused and not self.transport.is_closing():
            size = self._piece_size()
            piece = bytes(memoryview(self._unparsed)[:size])
            del self._unparsed[:size]
            self._parse(piece)
        if self.transport.is_closing():
            self._unparsed.clear()
        elif self.has_room():
            self.flow.resume_reading()
        else:
            self.flow.pause_reading()

    def _parse(self, piece: bytes) -> None:
        if not self._is_in_body and not self._unanswered:
            self._unset_keepalive_if_required()
            self._start_head_timer()
        body_bytes = self._body_bytes
        self._head_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:  # no other protocol is offered: answer the request, then close
            self.cycle.keep_alive = False
            self._unparsed.clear()
        except httptools.HttpParserError:
            self._rejection = self._rejection or HTTPStatus.BAD_REQUEST
        self._head_bytes = max(0, self._head_bytes - max(0, self._body_bytes - body_bytes))
        if self._head_bytes > self.limits.max_head_bytes + self._body_bytes // BODY_BYTES_PER_FRAMING_BYTE:
            self._rejection = self._rejection or HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if self._rejection is not None:
            self._reject(self._rejection)

    # Timeouts

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_timeout.total_seconds(), self._on_head_timeout)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

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
        self._is_refused = True
        self._unparsed.clear()
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def _log_connection_limit(self) -> None:
        now = self.loop.time()
        if now - BoundedHttpProtocol.last_limit_log_s >= LOG_INTERVAL_S:
            BoundedHttpProtocol.last_limit_log_s = now
            limit = self.limits.max_connections
            service_log.get_logger().warning("connection limit reached", max_connections=limit)
