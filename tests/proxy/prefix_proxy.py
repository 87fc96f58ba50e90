"""A reverse proxy that publishes a service under a path prefix, as nginx does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.process import free_port


@asynccontextmanager
async def prefix_proxy(prefix: str, upstream: int, *, strips: bool) -> AsyncIterator[str]:
    """Yield the URL of the prefix. Other paths get a 404. `strips`: whether the service sees the paths without it."""
    port = free_port()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, rest = (await reader.readline()).split(b" ", 2)
        if not path.startswith(prefix.encode() + b"/"):
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            writer.close()
            return
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", upstream)
        forwarded = path.removeprefix(prefix.encode()) if strips else path
        upstream_writer.write(b" ".join((method, forwarded, rest)) + b"connection: close\r\n")
        await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}{prefix}"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
