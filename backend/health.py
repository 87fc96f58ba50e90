"""The worker has no HTTP port, so it reports its health over a Unix socket.

`python -m backend.health` exits with 0 if the worker on this machine can reach Redis. The container's health check runs
it every few seconds, so this module imports little: the check must not use more CPU than the idle worker.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

VARIABLE: Final = "HEALTH_SOCKET"
RESPONSE_TIMEOUT_S: Final = 2.0


@asynccontextmanager
async def health_server(path: Path | None, is_healthy: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
    """Send `ok` or `ng` to each connection on the Unix socket `path` until the context ends. None: start no server."""
    if path is None:
        yield
        return
    import asyncio  # only the worker needs it, and importing it would double the time that a health check takes

    async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ok" if await is_healthy() else b"ng")
        writer.close()

    path.unlink(missing_ok=True)
    async with await asyncio.start_unix_server(respond, path):
        yield
    path.unlink(missing_ok=True)


def request_health(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(RESPONSE_TIMEOUT_S)
        connection.connect(path)
        return connection.recv(2).decode()


def main() -> None:
    try:
        response = request_health(os.environ[VARIABLE])
    except KeyError:
        sys.exit(f"backend: {VARIABLE} is not set: set it to the path of the worker's health socket")
    except OSError as error:
        sys.exit(f"backend: the worker does not respond on its health socket: {error}")
    if response != "ok":
        sys.exit("backend: the worker cannot reach Redis")


if __name__ == "__main__":
    main()
