"""The server stops without resetting a connection, and its processes end with their parent."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from harness.waiting import wait_until
from tests.proxy.bare_proxy import HEALTH, BareProxy, bare_proxy, status
from tests.proxy.keys_file import write_keys

pytestmark = pytest.mark.slow

GET = HEALTH.replace(b"connection: close\r\n", b"")


async def connect_until_refused(proxy: BareProxy, outcomes: list[str]) -> None:
    """Send each request on a new connection until the port is closed."""
    while True:
        try:
            reader, writer = await proxy.connect()
        except ConnectionRefusedError:
            return
        except OSError as error:
            outcomes.append(f"connecting: {error!r}")
            return
        try:
            writer.write(HEALTH)
            outcomes.append("ok" if status(await reader.read()) == 200 else "no response")
        except OSError as error:
            outcomes.append(repr(error))
        finally:
            writer.close()


async def reuse_until_closed(proxy: BareProxy, outcomes: list[str]) -> None:
    """Send requests on one connection until the server announces that it closes it."""
    reader, writer = await proxy.connect()
    try:
        while True:
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len('{"health":"ok"}'))
            outcomes.append("ok")
            if b"connection: close" in head:
                return
    except (OSError, asyncio.IncompleteReadError) as error:
        outcomes.append(repr(error))
    finally:
        writer.close()


@pytest.mark.parametrize("workers", [1, 3])
async def test_sigterm_under_load_resets_no_connection(workers: int, tmp_path: Path) -> None:
    outcomes: list[str] = []
    async with bare_proxy(tmp_path, WORKERS=str(workers)) as proxy:
        clients = [asyncio.create_task(connect_until_refused(proxy, outcomes)) for _ in range(30)]
        clients += [asyncio.create_task(reuse_until_closed(proxy, outcomes)) for _ in range(10)]
        await wait_until(lambda: len(outcomes) > 500)
        proxy.process.send(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*clients), 60)
        await wait_until(lambda: not proxy.process.is_running)
    assert set(outcomes) == {"ok"}


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


async def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, WORKERS="2") as proxy:
        processes = children(proxy.process.pid)
        assert len(processes) >= 2
        proxy.process.kill()
        await wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in processes))
        with pytest.raises(ConnectionRefusedError):
            await proxy.connect()


async def test_a_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, WORKERS="2") as proxy:
        before = server_processes(proxy)
        os.kill(before[0], signal.SIGKILL)
        await wait_until(lambda: len(server_processes(proxy)) == 2 and before[0] not in server_processes(proxy))
        assert await proxy.is_up()
        assert proxy.process.logged('event="server process ended"', "exit_status=-9") == 1


async def test_a_replacement_that_cannot_start_is_tried_again_and_ends_no_other_process(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json")
    async with bare_proxy(tmp_path, WORKERS="2", API_KEYS_FILE=str(keys), LOG_FORMAT="json") as proxy:

        def have_started() -> bool:
            os.utime(keys)  # each process that has started reads the file again
            log = proxy.process.log.read_text("utf-8").splitlines()
            readers = {json.loads(line)["pid"] for line in log if "api keys read" in line}
            return len(readers & set(server_processes(proxy))) == 2

        await wait_until(have_started)
        killed, healthy = server_processes(proxy)
        keys.unlink()
        os.kill(killed, signal.SIGKILL)
        await wait_until(lambda: proxy.process.logged("server process not started") >= 2)
        assert healthy in server_processes(proxy)
        assert await proxy.is_up()
        write_keys(keys)
        os.kill(healthy, signal.SIGKILL)
        await wait_until(proxy.is_up)


def server_processes(proxy: BareProxy) -> list[int]:
    return [pid for pid in children(proxy.process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_a_proxy_that_cannot_start_exits(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path) as proxy:
        taken = proxy.process.variant(tmp_path / "second", WORKERS="2")
        taken.start()
        await wait_until(lambda: not taken.is_running)
        assert taken.popen is not None
        assert taken.popen.returncode == 3
