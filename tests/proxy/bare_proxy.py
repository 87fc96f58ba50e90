"""A proxy process without Redis and models, for tests of what a client can hold and send."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from harness.process import PYTHON, Process, free_port
from harness.waiting import wait_until

HEALTH: Final = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class BareProxy:
    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, *pieces: bytes) -> bytes:
        """Send the pieces and return everything until the proxy closes the connection."""
        reader, writer = await self.connect()
        try:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
            with contextlib.suppress(ConnectionError):
                return await reader.read()
            return b""
        finally:
            writer.close()

    async def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            return b"200 OK" in await self.exchange(HEALTH)
        return False


@asynccontextmanager
async def bare_proxy(directory: Path, **settings: str) -> AsyncIterator[BareProxy]:
    port = free_port()
    environment = {
        "HOST": "127.0.0.1", "PORT": str(port), "FAST_MODEL_ADDRESS": "127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1",
        **settings,
    }  # fmt: skip
    with Process([PYTHON, "-m", "proxy"], environment, directory / "bare-proxy") as process:
        proxy = BareProxy(process, port)

        async def is_up() -> bool:
            process.check_running()
            return await proxy.is_up()

        await wait_until(is_up)
        yield proxy


def status(response: bytes) -> int:
    """The status of the first response; 0 if there is none."""
    return int(response.split(b" ", 2)[1]) if response else 0


def post(body: bytes, *headers: bytes, content_type: bytes = b"image/jpeg", size: int | None = None) -> bytes:
    """A request with a body of which more may follow: `size` is the declared length."""
    lines: Sequence[bytes] = (
        b"POST /predict HTTP/1.1", b"host: x", b"content-type: " + content_type,
        b"content-length: %d" % (len(body) if size is None else size), *headers,
    )  # fmt: skip
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
