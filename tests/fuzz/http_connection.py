"""A connection without a socket, for fuzzing the HTTP protocol."""

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from proxy.byte_budget import ByteBudget
from proxy.http_limits import BUDGET_KEY, LIMITS_KEY, HttpLimits
from proxy.http_protocol import BoundedHttpProtocol

SEPARATOR: Final = b"\xff|"
"""Between the pieces in which the input arrives."""
LIMITS: Final = HttpLimits(max_connections=1, max_head_bytes=512, max_url_bytes=64, max_headers=8, max_pipelined=2)
BUDGET_BYTES: Final = 64 * 1024
MAX_BUFFERED_BYTES: Final = 4 * 1024
"""What may be read while the connection is paused: the rest of the piece that was being received."""
STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")
EXPECTED_STATUSES: Final = {b"100", b"200", b"400", b"408", b"413", b"414", b"431", b"503"}
TURNS: Final = 6
"""Iterations of the event loop after each piece, in which the application answers a request."""


class _Errors(logging.Handler):
    """Collects what uvicorn and the event loop log as errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))

    def handle_loop_error(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self.records.append(repr(context))


class _Transport(asyncio.Transport):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self.protocol: BoundedHttpProtocol | None = None
        self.written = bytearray()
        self.is_paused = False
        self._has_ended = False
        self._is_closing = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def write(self, data: Any) -> None:
        assert not self._has_ended, "written after the end"
        self.written += data

    def write_eof(self) -> None:
        self._has_ended = True

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing and self.protocol:
            self._is_closing = True
            self.loop.call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads bodies of POST, and answers."""
    more = scope["method"] == "POST"
    while more:
        message = await receive()
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class _Server:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._errors = _Errors()
        self._loop.set_exception_handler(self._errors.handle_loop_error)
        logging.getLogger("uvicorn").addHandler(self._errors)
        self._config = uvicorn.Config(_application, http=BoundedHttpProtocol, lifespan="off", log_config=None)
        self._config.load()

    def exchange(self, pieces: list[bytes]) -> None:
        self._loop.run_until_complete(self._exchange(pieces))
        assert not self._errors.records, self._errors.records

    async def _exchange(self, pieces: list[bytes]) -> None:
        self._errors.records.clear()
        budget, state = ByteBudget(BUDGET_BYTES), ServerState()
        app_state = {LIMITS_KEY: LIMITS, BUDGET_KEY: budget}
        protocol = BoundedHttpProtocol(self._config, state, app_state, self._loop)
        transport = _Transport(self._loop)
        transport.protocol = protocol
        protocol.connection_made(transport)
        for piece in pieces:
            if transport.is_closing() or transport.is_paused:
                break
            protocol.data_received(piece)
            assert len(protocol._unparsed) <= max(MAX_BUFFERED_BYTES, len(piece))
            for _ in range(TURNS):
                await asyncio.sleep(0)
        transport.close()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert not state.tasks
        assert budget.used == 0
        assert set(STATUS.findall(transport.written)) <= EXPECTED_STATUSES


_SERVERS: Final[list[_Server]] = []


def http_connection(data: bytes) -> None:
    """Every connection is answered or closed, and leaves nothing behind."""
    if not _SERVERS:
        _SERVERS.append(_Server())
    _SERVERS[0].exchange(data.split(SEPARATOR))
