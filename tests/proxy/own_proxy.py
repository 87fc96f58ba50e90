"""A proxy of the test's own, for tests that need other settings than the shared stack has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from harness.process import Process, free_port
from harness.stack import Stack
from harness.waiting import wait_until


@asynccontextmanager
async def own_proxy(stack: Stack, directory: Path, **settings: str) -> AsyncIterator[tuple[httpx.AsyncClient, Process]]:
    """Yield the proxy's process and a client of it. It uses the stack's Redis and model servers."""
    port = free_port()
    with stack.proxy.variant(directory / "proxy", PORT=str(port), **settings) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:

            async def is_up() -> bool:
                try:
                    return (await client.get("/health")).is_success
                except httpx.TransportError:
                    return False

            await wait_until(is_up)
            yield client, process
