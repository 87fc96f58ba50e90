"""What one hostile client does, and its view of the proxy."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from deploy.local.ports import HOST

MB: Final = 2**20
MAX_RESPONSE_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class Target:
    port: int
    responses: Counter[str] = field(default_factory=Counter)
    """How often each status was returned; `closed` counts connections that ended without a response."""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(HOST, self.port)

    async def send(self, pieces: Iterable[bytes], *, pause_s: float = 0, stall_s: float = 0) -> None:
        """Send the pieces on a connection of their own until the proxy closes it, and count the response.

        `pause_s` is the time between two pieces, `stall_s` how long the connection stays open after the last piece if
        there is no response.
        """
        reader, writer = await self.connect()
        sending = asyncio.create_task(self._write(writer, pieces, pause_s))
        try:
            response = await self._response(reader, sending, stall_s)
        finally:
            sending.cancel()
            writer.transport.abort()
        self.responses[response.split(b" ", 2)[1].decode() if response.startswith(b"HTTP/") else "closed"] += 1

    async def _write(self, writer: asyncio.StreamWriter, pieces: Iterable[bytes], pause_s: float) -> None:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)  # 0 lets other clients run

    async def _response(self, reader: asyncio.StreamReader, sending: asyncio.Task[None], stall_s: float) -> bytes:
        receiving = asyncio.create_task(reader.read(MAX_RESPONSE_BYTES))
        try:
            await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                await asyncio.wait([receiving], timeout=stall_s)
            return receiving.result() if receiving.done() else b""
        except ConnectionError:
            return b""
        finally:
            receiving.cancel()


Shot = Callable[[Target], Awaitable[None]]
"""One client attacks once. What it needs is built before the attack starts."""


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    prepare: Callable[[], Shot]
    """Builds what is sent, which may take seconds, and returns the attack."""
    clients: int = 4
    """Concurrent clients, each of which attacks again and again."""
    pause_s: float = 0.1
    """Between two attacks of a client."""
    is_flood: bool = False
    """Takes all connections, or as many uploads as there may be: normal clients may then get a 503 each time."""
    is_cheap: bool = False
    """Takes so little of the processor that no normal client may get a 503."""
    min_s: float = 1.0
    """How long the attack needs to take effect."""
    is_in_tests: bool = False
    """Part of `make test`."""
    twin: "Attack | None" = None
    """Ordinary requests of the same size, which are the harmless load that this attack is compared with.

    None: computations and small requests that take as much of the processor.
    """


def request(method: bytes, path: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"host: x", *headers)) + b"\r\n\r\n"


def post(body_bytes: int, content_type: bytes = b"image/png", *headers: bytes) -> bytes:
    """The head of a POST /predict whose body has this many bytes."""
    return request(b"POST", b"/predict", b"content-type: " + content_type, b"content-length: %d" % body_bytes, *headers)


def chunked_post(content_type: bytes = b"image/png") -> bytes:
    return request(b"POST", b"/predict", b"content-type: " + content_type, b"transfer-encoding: chunked")


def repeat(piece: bytes, total_bytes: int) -> Iterable[bytes]:
    """`total_bytes` bytes, or a little more, in pieces of about 64 KB."""
    block = piece * max(1, 64 * 1024 // len(piece))
    return (block for _ in range(-(-total_bytes // len(block))))
