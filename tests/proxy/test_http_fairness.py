"""How much of the event loop, and of the garbage collector's time, one connection may take."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from harness.waiting import wait_until
from proxy.http_closing import MAX_REFUSED
from proxy.http_limits import HttpLimits
from proxy.http_pieces import MAX_CHUNKED_PIECE_BYTES
from proxy.http_protocol import TURN_BYTES
from tests.proxy.bare_proxy import HEALTH, bare_proxy, status
from tests.proxy.test_http_protocol import CLOSE, GET, http_server

CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunks(size: int, count: int) -> bytes:
    return b"%x\r\n%s\r\n" % (size, b"a" * size) * count


@pytest.fixture
def without_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_chunks_of_one_byte_close_the_connection_soon() -> None:
    async with http_server(HttpLimits()) as server:
        _, writer = await server.connect()
        writer.write(CHUNKED)
        [protocol] = await wait_until(lambda: server.protocols)
        await wait_until(lambda: server.application.started)
        protocol.data_received(chunks(1, 10_000))
        assert protocol._body_bytes <= MAX_CHUNKED_PIECE_BYTES
        assert protocol.transport.is_closing()
        writer.close()


@pytest.mark.parametrize("size", [24, 1000])
async def test_small_chunks_are_accepted(size: int) -> None:
    async with http_server(HttpLimits()) as server:
        response = await server.exchange(CHUNKED + chunks(size, 10_000) + LAST_CHUNK + CLOSE)
    assert b"\r\n\r\n%d" % (size * 10_000) in response


async def test_other_connections_have_their_turn_before_all_of_a_large_read_is_parsed() -> None:
    size = 250_000
    async with http_server(HttpLimits()) as server:
        reader, writer = await server.connect()
        writer.write(CHUNKED)
        [protocol] = await wait_until(lambda: server.protocols)
        await wait_until(lambda: server.application.started)
        protocol.data_received(chunks(25, size // 25))
        assert protocol._body_bytes <= TURN_BYTES + MAX_CHUNKED_PIECE_BYTES
        assert protocol.flow.read_paused
        protocol.data_received(LAST_CHUNK + CLOSE)
        assert b"\r\n\r\n%d" % size in await reader.read()
        writer.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        GET,
        GET * 10 + CLOSE,
        b"no HTTP at all\r\n\r\n",
        CHUNKED + chunks(1, 10_000),
        CHUNKED + chunks(1000, 100),
        b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n",
    ],
    ids=["nothing", "a request", "pipelined", "no HTTP", "refused body", "part of a body", "unread body"],
)
async def test_a_closed_connection_is_freed_without_the_garbage_collector(
    sent: bytes, without_garbage_collection: None
) -> None:
    async with http_server(HttpLimits(head_timeout=timedelta(seconds=0.2))) as server:
        _, writer = await server.connect()
        [protocol] = await wait_until(lambda: server.protocols)
        connection = weakref.ref(protocol)
        del protocol
        writer.write(sent)
        await writer.drain()
        await wait_until(lambda: not sent or server.application.started or not server.protocols)
        writer.close()
        await wait_until(lambda: connection() is None)


@pytest.mark.slow
async def test_connections_far_beyond_the_limit_are_closed_and_later_ones_served(tmp_path: Path) -> None:
    async with bare_proxy(tmp_path, MAX_CONNECTIONS="10") as proxy:
        held = [await proxy.connect() for _ in range(10 + MAX_REFUSED)]
        flood = await asyncio.gather(*(proxy.connect() for _ in range(300)))
        await asyncio.gather(*(reader.read() for reader, _ in flood), return_exceptions=True)
        for _, writer in [*held, *flood]:
            writer.close()
        await wait_until(proxy.is_up)
        assert status(await proxy.exchange(HEALTH)) == 200


async def test_a_request_does_not_wait_for_the_pipelined_requests_of_other_clients() -> None:
    async with http_server(HttpLimits()) as server:
        flood = [await server.connect() for _ in range(50)]
        for _, writer in flood:
            writer.write(GET * 2000)
        await wait_until(lambda: server.application.started > 500)
        started = server.application.started
        assert status(await server.exchange(CLOSE)) == 200
        assert server.application.started - started < 80  # 150 if each had its turn in each iteration of the event loop
        for _, writer in flood:
            writer.transport.abort()
