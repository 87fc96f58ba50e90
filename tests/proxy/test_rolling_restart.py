"""Two proxies behind nginx are restarted one after the other: no request under way fails."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from harness.process import Process, free_port
from harness.waiting import wait_until
from tests.images import encode_image
from tests.proxy.bare_proxy import BareProxy, bare_proxy, post, status

pytestmark = pytest.mark.slow

MODEL_UNAVAILABLE: Final = 503
"""From the proxy, which has no model here. nginx's own error is 502."""
CLIENTS: Final = 10
PAUSE_S: Final = 0.005
"""Leaves processor time to the proxies that start."""


def configuration(directory: Path, port: int, proxies: Sequence[BareProxy]) -> str:
    """nginx sends a POST to another server only if it could not connect to the first."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    directories = " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
    servers = " ".join(f"server 127.0.0.1:{proxy.port} max_fails=0;" for proxy in proxies)
    return f"""
        daemon off; pid {directory}/pid; events {{ }}
        http {{
            access_log off; {directories}
            upstream proxies {{ {servers} keepalive 8; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass http://proxies; proxy_http_version 1.1; proxy_set_header Connection ""; }}
            }}
        }}"""


@asynccontextmanager
async def nginx(directory: Path, proxies: Sequence[BareProxy]) -> AsyncIterator[BareProxy]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed; make does not install it, because Debian would start it as a service")
    port = free_port()
    (directory / "nginx.conf").write_text(configuration(directory, port, proxies))
    command = [program, "-e", "stderr", "-p", str(directory), "-c", str(directory / "nginx.conf")]
    with Process(command, {}, directory / "nginx-log") as process:
        server = BareProxy(process, port)
        await wait_until(server.is_up)
        yield server


async def post_repeatedly(server: BareProxy, statuses: Counter[int]) -> None:
    request = post(encode_image(), b"connection: close")
    while True:
        statuses[status(await server.exchange(request))] += 1
        await asyncio.sleep(PAUSE_S)


async def test_a_rolling_restart_behind_nginx_fails_no_request(tmp_path: Path) -> None:
    statuses: Counter[int] = Counter()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    async with (
        bare_proxy(tmp_path / "a", WORKERS="2") as a,
        bare_proxy(tmp_path / "b", WORKERS="2") as b,
        nginx(tmp_path, [a, b]) as server,
        asyncio.TaskGroup() as clients,
    ):
        load = [clients.create_task(post_repeatedly(server, statuses)) for _ in range(CLIENTS)]
        for proxy in (a, b):
            before = statuses.total()
            await wait_until(lambda before=before: statuses.total() > before + 100)  # type: ignore[misc]
            await asyncio.to_thread(proxy.process.stop)
            proxy.process.start()
            await wait_until(proxy.is_up, within=60)
        for client in load:
            client.cancel()
    assert set(statuses) == {MODEL_UNAVAILABLE}, statuses
