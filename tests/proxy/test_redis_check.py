"""The proxy refuses a Redis that can lose accepted jobs, and starts without Redis."""

from pathlib import Path

import httpx
import pytest

from deploy.local import redis_server
from harness.process import PYTHON, Process, free_port
from harness.redis import RedisServer
from harness.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def evicting_redis(own_redis_server: RedisServer) -> RedisServer:
    """Not yet started."""
    server = own_redis_server
    command = redis_server.command(redis_server.find(), port=server.port, directory=server.directory)
    server.command = [*command, "--maxmemory-policy", "allkeys-lru"]
    return server


def proxy_process(directory: Path, redis: RedisServer) -> tuple[Process, int]:
    port = free_port()
    settings = {"REDIS_URL": redis.url, "HOST": "127.0.0.1", "PORT": str(port)}
    return Process([PYTHON, "-m", "proxy"], settings, directory / "proxy"), port


async def test_the_proxy_refuses_a_redis_that_evicts(evicting_redis: RedisServer, tmp_path: Path) -> None:
    await evicting_redis.start()
    process, _ = proxy_process(tmp_path, evicting_redis)
    with process:
        await wait_until(lambda: not process.is_running)
    assert process.popen
    assert process.popen.returncode == 1
    assert process.log_tail().strip() == (
        "proxy: Redis evicts keys when its memory is full (maxmemory-policy allkeys-lru), which would lose accepted "
        "jobs: set maxmemory-policy to noeviction"
    )


async def test_the_proxy_starts_without_redis_and_checks_it_when_it_responds(
    evicting_redis: RedisServer, tmp_path: Path
) -> None:
    process, port = proxy_process(tmp_path, evicting_redis)
    with process:

        async def is_up() -> bool:
            process.check_running()
            try:
                return (await client.get("/health")).is_success
            except httpx.TransportError:
                return False

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            await wait_until(is_up)
            await evicting_redis.start()
            await wait_until(lambda: process.logged("redis unsuitable", "maxmemory-policy allkeys-lru"))
            assert (await client.get("/health")).is_success
