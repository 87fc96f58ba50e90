"""uvicorn's HTTP protocol on httptools, with limits on everything a connection can hold.

uvicorn parses whatever a read returns (up to 250 KB, which is room for 14,000 pipelined requests), accepts heads of any
size, and resumes reading whenever any request of the connection receives or completes. `BoundedHttpProtocol` buffers
unparsed input instead: outside of bodies it feeds the parser one head at a time, stops while too many requests are
unanswered, lets other connections have their turn, counts the bytes that belong to no body, and times how long a head
takes. Bodies, and what it buffers, count against the byte budget of all uploads as they arrive.
"""

import sys
from http import HTTPStatus
from typing import Any, Final, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from proxy.byte_budget import ByteBudget, Upload
from proxy.http_closing import ClosingHttpProtocol
from proxy.http_flow import ResponseTransport
from proxy.http_limits import BUDGET_KEY, TURNS_KEY, UPLOAD_KEY
from proxy.http_pieces import piece_size
from proxy.http_turns import Turns

TURN_BYTES: Final = 32 * 1024
"""Parsed before other connections have their turn."""
UNCHARGED_BYTES: Final = 16 * 1024
"""A connection may buffer this much without counting against the byte budget."""
MAX_FRAMING_BYTES: Final = 4 * 1024
BODY_BYTES_PER_FRAMING_BYTE: Final = 4
"""A chunked body may have `MAX_FRAMING_BYTES` of chunk sizes, extensions and trailers, and one more for this many bytes
of body. HTTP clients send chunks of a kilobyte or more; parsing chunks of one byte takes a thousand times as long."""
WITHOUT_BODY: Final = ("GET", "HEAD")
"""Methods whose requests may have a body, which the proxy discards."""


class BoundedHttpProtocol(ClosingHttpProtocol):
    """Pass this class to uvicorn as `http`. The lifespan state holds its `HttpLimits` and the `ByteBudget`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._budget: ByteBudget = self.app_state.get(BUDGET_KEY) or ByteBudget(sys.maxsize)
        self._buffered = Upload(self._budget)
        self._rejection: HTTPStatus | None = None
        self._chunks: list[bytes] = []
        self._turns: Turns = self.app_state.setdefault(TURNS_KEY, Turns())
        self._is_parsing_later = False
        self._is_answering_later = False
        self._start_message()

    def _start_message(self) -> None:
        self._body_bytes = 0
        self._url_bytes = 0
        self._header_count = 0
        self._content_length = 0

    # asyncio.Protocol

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._buffered.release()
        for cycle, _ in self.pipeline:
            _upload_of(cycle).close()
        self._drop_references()

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        self._unset_keepalive_if_required()
        if not self._unparsed and not self._is_full() and len(data) <= self._piece_size(data):
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
        if self._rejection is not None:
            return
        super().on_headers_complete()  # raises an error, which is a 400, for some invalid URLs
        self._stop_head_timer()
        self._is_in_body = True
        self._head_bytes = 0
        self._unanswered.append(self.cycle)
        for name, value in self.headers:
            if name == b"content-length":
                self._content_length = int(value)
            if name in (b"content-length", b"transfer-encoding"):
                self.cycle.transport = cast("Any", ResponseTransport(self))
        self.scope["state"][UPLOAD_KEY] = Upload(self._budget, self._content_length)
        if self._is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        self._receive_chunks()
        if self._rejection is None:
            super().on_message_complete()
        self._is_in_body = False
        self._head_bytes = 0

    def _receive_chunks(self) -> None:
        """Pass on what the parser has found of a body: once for each piece, since a piece may have many chunks."""
        if not self._chunks:
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._body_bytes += len(body)
        if self._rejection is not None or self.cycle.response_complete or self.scope["method"] in WITHOUT_BODY:
            return
        if _upload_of(self.cycle).reserve(len(body)):
            super().on_body(body)
        else:
            self.cycle.message_event.set()  # the application sees that the upload is refused

    # uvicorn's callback

    def on_response_complete(self) -> None:
        self._unanswered.popleft()
        has_next = self.pipeline or (self._unparsed and not self._is_in_body)
        if has_next and not self._is_lingering and not self.transport.is_closing():
            self._is_answering_later = True
            self._turns.add(self._answer_next)
        else:
            self._answer_next()

    def _answer_next(self) -> None:
        was_later, self._is_answering_later = self._is_answering_later, False
        if was_later and self.transport.is_closing():
            return
        super().on_response_complete()
        if not self._is_lingering and not self.transport.is_closing():
            if self._is_in_body or self._head_bytes:
                self._start_head_timer()
            self._parse_buffered()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        async def run(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            finally:
                _upload_of(cycle).close()

        super()._start_asgi_task(cycle, run)

    # Flow control

    def has_room(self) -> bool:
        if self._ignores_input:
            return True
        if self._unparsed or self._is_full():
            return False
        return self.cycle is None or self.cycle.response_complete or len(self.cycle.body) <= HIGH_WATER_LIMIT

    def _is_full(self) -> bool:
        limit = 1 if self._is_draining else self.limits.max_pipelined
        return not self._is_in_body and (len(self._unanswered) >= limit or self._is_answering_later)

    def _piece_size(self, data: bytes | bytearray) -> int:
        if self._is_in_body and self._content_length:
            return self._content_length - self._body_bytes
        return piece_size(data, is_in_body=self._is_in_body)

    def _parse_buffered(self) -> None:
        """Parse what was read until it is used up, too many requests are unanswered, or this connection's turn ends."""
        parsed = 0
        while self._unparsed and not self._is_full() and not self._ignores_input and not self.transport.is_closing():
            if parsed >= TURN_BYTES:
                self._parse_later()
                break
            size = self._piece_size(self._unparsed)
            piece = bytes(memoryview(self._unparsed)[:size])
            del self._unparsed[:size]  # moves the bytearray's start, and copies the rest only when it is half empty
            parsed += len(piece)
            self._parse(piece)
        if self.transport.is_closing():
            self._unparsed.clear()
            return
        self._charge()
        if self.has_room():
            self.flow.resume_reading()
        else:
            self.flow.pause_reading()

    def _parse_later(self) -> None:
        if not self._is_parsing_later:
            self._is_parsing_later = True
            self._turns.add(self._parse_next)

    def _parse_next(self) -> None:
        self._is_parsing_later = False
        self._parse_buffered()

    def _charge(self) -> None:
        """Count what waits for earlier responses against the budget, and close the connection if that is exhausted."""
        self._buffered.release()
        if len(self._unparsed) > UNCHARGED_BYTES and not self._buffered.reserve(len(self._unparsed)):
            self._reject(HTTPStatus.SERVICE_UNAVAILABLE)

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
            self._ignores_input = True
            self._unparsed.clear()
        except httptools.HttpParserError:
            self._rejection = self._rejection or HTTPStatus.BAD_REQUEST
        self._receive_chunks()
        self._head_bytes = max(0, self._head_bytes - max(0, self._body_bytes - body_bytes))
        if self._head_bytes > self._max_head_bytes():
            self._rejection = self._rejection or HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if self._rejection is not None:
            self._reject(self._rejection)

    def _max_head_bytes(self) -> int:
        if not self._is_in_body:
            return self.limits.max_head_bytes
        return MAX_FRAMING_BYTES + self._body_bytes // BODY_BYTES_PER_FRAMING_BYTE


def _upload_of(cycle: RequestResponseCycle) -> Upload:
    return cast("Upload", cycle.scope["state"][UPLOAD_KEY])
