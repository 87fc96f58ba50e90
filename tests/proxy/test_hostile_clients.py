"""What one client can make the real proxy process hold. Memory is the resident memory of the process."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from background_task import background_task
from harness.waiting import wait_until
from tests.images import encode_image
from tests.proxy.bare_proxy import HEALTH, BareProxy, bare_proxy, post, status

pytestmark = pytest.mark.slow

MB: Final = 1024 * 1024
MAX_GROWTH_MB: Final = 40


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[BareProxy]:
    async with bare_proxy(tmp_path) as proxy:
        yield proxy


async def test_64_mb_of_headers_on_one_connection_occupy_no_memory_and_do_not_stop_the_loop(proxy: BareProxy) -> None:
    before = proxy.process.resident_mb()
    header = b"x-header: " + b"a" * 500 + b"\r\n"
    response = await proxy.exchange(b"GET / HTTP/1.1\r\nhost: x\r\n", *[header * 2000] * 64)
    assert status(response) in (0, 431)
    assert await proxy.is_up()
    assert proxy.process.resident_mb() - before < MAX_GROWTH_MB


async def test_a_header_of_64_mb_occupies_no_memory_and_does_not_stop_the_loop(proxy: BareProxy) -> None:
    before = proxy.process.resident_mb()
    reader, writer = await proxy.connect()

    async def attack() -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(b"GET / HTTP/1.1\r\nx-header: ")
            for _ in range(64):
                writer.write(b"a" * MB)
                await writer.drain()

    async with background_task(attack()):
        assert status(await asyncio.wait_for(proxy.exchange(HEALTH), 10)) == 200
        with contextlib.suppress(ConnectionError):
            assert status(await asyncio.wait_for(reader.read(), 10)) == 431
    writer.close()
    assert proxy.process.resident_mb() - before < MAX_GROWTH_MB


async def test_19_mb_of_pipelined_requests_on_90_connections_occupy_little_memory(proxy: BareProxy) -> None:
    before = proxy.process.resident_mb()
    requests = b"GET /job/0 HTTP/1.1\r\nhost: x\r\n\r\n" * 7_000
    connections = [await proxy.connect() for _ in range(90)]
    for _, writer in connections:
        writer.write(requests)
    await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in connections))
    assert status(await asyncio.wait_for(proxy.exchange(HEALTH), 20)) == 200
    assert proxy.process.resident_mb() - before < MAX_GROWTH_MB + 19
    for _, writer in connections:
        writer.transport.abort()


async def test_a_client_that_reads_no_responses_is_disconnected(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, HEADER_TIMEOUT="1") as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=1)  # pauses after two bytes
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(60):
                while True:
                    writer.write(b"GET /metadata HTTP/1.1\r\nhost: x\r\n\r\n" * 10_000)
                    await writer.drain()
        assert writer.is_closing()
        assert await proxy.is_up()


async def test_many_small_uploads_that_stall_stay_within_the_byte_budget(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, MAX_BYTES_IN_FLIGHT=str(8 * MB), BODY_GRACE="20") as proxy:
        before = proxy.process.resident_mb()
        connections = [await proxy.connect() for _ in range(400)]
        for _, writer in connections:
            writer.write(post(b"a" * 200_000, size=200_001))
        answered = await wait_until(lambda: at_least(300, [reader for reader, _ in connections if has_data(reader)]))
        assert {status(await reader.readuntil(b"\r\n")) for reader in answered} == {503}
        assert proxy.process.resident_mb() - before < MAX_GROWTH_MB
        for _, writer in connections:
            writer.transport.abort()
        await wait_until(proxy.is_up)


@asynccontextmanager
async def stalled_uploads(proxy: BareProxy, count: int, size: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Send all but one byte of each upload."""
    connections = [await proxy.connect() for _ in range(count)]
    try:
        for _, writer in connections:
            with contextlib.suppress(ConnectionError):
                writer.write(post(b"a" * (size - 1), size=size))
                await writer.drain()
        yield [reader for reader, _ in connections]
    finally:
        for _, writer in connections:
            writer.transport.abort()


async def test_stalled_large_uploads_leave_room_for_images_of_360_kb(tmp_path: Path) -> None:
    image = b"not an image" * 30_000
    async with (
        bare_proxy(tmp_path, MAX_BYTES_IN_FLIGHT=str(16 * MB), BODY_GRACE="30") as proxy,
        stalled_uploads(proxy, 11, 2 * MB),
    ):
        for _ in range(20):
            assert status(await proxy.exchange(post(image, b"connection: close"))) == 415


async def test_a_stalled_upload_ends_with_a_408_long_before_the_body_timeout(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, BODY_GRACE="1", BODY_TIMEOUT="600") as proxy:
        async with stalled_uploads(proxy, 3, 5 * MB) as readers:
            responses = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader in readers)), 60)
        assert [status(response) for response in responses] == [408] * 3
        assert all(b"at no time less than 4096 bytes a second" in response for response in responses)


async def test_an_upload_that_trickles_below_the_minimum_rate_ends_with_a_408(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, BODY_GRACE="1", BODY_TIMEOUT="600") as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(b"", size=5 * MB))

        async def trickle() -> None:
            while True:
                writer.write(b"a" * 100)
                await asyncio.sleep(0.05)

        async with background_task(trickle()):
            assert status(await asyncio.wait_for(reader.read(), 60)) == 408
        writer.close()


async def test_a_slow_upload_above_the_minimum_rate_is_accepted(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, BODY_GRACE="1", MIN_BODY_RATE="100") as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(b"", b"connection: close", size=40_000))
        for _ in range(40):
            writer.write(b"a" * 1000)
            await asyncio.sleep(0.05)
        assert status(await reader.read()) == 415
        writer.close()


async def test_connections_beyond_the_limit_get_a_503_and_one_line_in_the_log(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, MAX_CONNECTIONS="20", HEADER_TIMEOUT="60") as proxy:
        idle = [await proxy.connect() for _ in range(20)]
        response = await wait_until(lambda: refused_connection(proxy))
        assert b"retry-after: 1" in response
        assert proxy.process.logged("level=warning", 'event="connection limit reached"', "max_connections=20")
        for _, writer in idle:
            writer.close()
        await wait_until(proxy.is_up)


async def refused_connection(proxy: BareProxy) -> bytes:
    response = await proxy.exchange(HEALTH)
    return response if status(response) == 503 else b""


async def test_a_form_with_a_slow_character_set_does_not_stop_the_loop(proxy: BareProxy) -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 1_000_000 + b"\r\n--b--\r\n"
    form = post(field, b"connection: close", content_type=b"multipart/form-data; charset=punycode; boundary=b")
    attack = asyncio.create_task(proxy.exchange(form))
    assert status(await asyncio.wait_for(attack, 10)) == 413
    assert status(await asyncio.wait_for(proxy.exchange(HEALTH), 10)) == 200


async def test_forms_need_no_temporary_files(tmp_path: Path) -> None:
    image = encode_image(size=(3, 3)) + bytes(5 * MB)
    form = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + image + b"\r\n--b--\r\n"
    request = post(form, b"connection: close", content_type=b"multipart/form-data; boundary=b")
    async with bare_proxy(tmp_path, TMPDIR="/nonexistent") as proxy:
        with FullDisk(proxy.process.pid):
            responses = await asyncio.gather(*(proxy.exchange(request) for _ in range(8)))
    assert all(b"model-unavailable" in response for response in responses), [status(each) for each in responses]


class FullDisk:
    """Within the context, the process can write no file: each write fails, as on a full disk."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        self._limit = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)
        log_bytes = 1024 * 1024
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (log_bytes, self._limit[1]))

    def __exit__(self, *_: object) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._limit)


def has_data(reader: asyncio.StreamReader) -> bool:
    return bool(reader._buffer)  # type: ignore[attr-defined]


def at_least(count: int, items: list[asyncio.StreamReader]) -> list[asyncio.StreamReader]:
    return items if len(items) >= count else []
