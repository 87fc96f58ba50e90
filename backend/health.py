"""A worker serves nobody, so it is asked how it is over a socket file.

`python -m backend.health` asks the worker on this machine, and exits with 0 when it can do its work. It is run every
few seconds, so it imports little: starting it must not cost more than the worker at rest.
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
PATIENCE_S: Final = 2.0


@asynccontextmanager
async def answering(path: Path | None, is_well: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
    """Answer `ok` or `ng` on the socket `path` while the context lasts; with no path, answer nobody."""
    if path is None:
        yield
        return
    import asyncio  # for the worker only: it would double the time that asking takes

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ok" if await is_well() else b"ng")
        writer.close()

    path.unlink(missing_ok=True)
    async with await asyncio.start_unix_server(answer, path):
        yield
    path.unlink(missing_ok=True)


def ask(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(PATIENCE_S)
        asking.connect(path)
        return asking.recv(2).decode()


def main() -> None:
    try:
        answer = ask(os.environ[VARIABLE])
    except KeyError:
        sys.exit(f"backend: {VARIABLE} is not set: the worker answers nobody")
    except OSError as error:
        sys.exit(f"backend: no answer: {error}")
    if answer != "ok":
        sys.exit("backend: Redis does not answer it")


if __name__ == "__main__":
    main()
