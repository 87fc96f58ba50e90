"""What one connection may send and hold, in a real uvicorn with a small application."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from background_task import background_task
from harness.waiting import wait_until
from proxy.http_limits import LIMITS_KEY, HttpLimits
from proxy.http_protocol import BoundedHttpProtocol

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
SECOND = timedelta(seconds=1)


class Application:
    """Answers with the number of body bytes, once `gate` is open. `started` counts requests."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = 0
        self.headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started += 1
        self.headers = scope["headers"]
        size, more = 0, scope["path"] != "/unread"
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        await self.gate.wait()
        body = str(size).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


class Server:
    def __init__(self, server: uvicorn.Server, application: Application) -> None:
        self._server = server
        self.application = application

    @property
    def protocols(self) -> list[BoundedHttpProtocol]:
        return [p for p in self._server.server_state.connections if isinstance(p, BoundedHttpProtocol)]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return await asyncio.open_connection("127.0.0.1", port)

    async def exchange(self, *pieces: bytes) -> bytes:
        """Send the pieces on a connection of its own and return everything until the server closes it."""
        reader, writer = await self.connect()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def http_server(limits: HttpLimits) -> AsyncIterator[Server]:
    application = Application()
    config = uvicorn.Config(application, port=0, http=BoundedHttpProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    server.lifespan.state[LIMITS_KEY] = limits
    await server.startup()
    try:
        async with background_task(server.main_loop()):
            yield Server(server, application)
    finally:
        application.gate.set()
        await server.shutdown()


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1]) if response else 0


def detail(response: bytes) -> str:
    problem = json.loads(response.partition(b"\r\n\r\n")[2])
    assert b"application/problem+json" in response
    return str(problem["detail"])


CLOSE = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET /" + b"u" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(101)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: %s\r\n" % (n, b"b" * 1500) for n in range(50)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"a" * 70_000, 431),
        (b"\r\n" * 40_000, 431),
        (b"no HTTP at all\r\n\r\n", 400),
    ],
    ids=["long URL", "101 headers", "75 KB of headers", "endless value", "endless name", "blank lines", "no HTTP"],
)
async def test_a_head_beyond_the_limits_is_refused_before_the_application_sees_it(head: bytes, expected: int) -> None:
    async with http_server(HttpLimits()) as server:
        response = await server.exchange(head)
        assert status(response) == expected
        assert detail(response)
        assert server.application.started == 0
        assert status(await server.exchange(CLOSE)) == 200


async def test_a_head_within_the_limits_is_accepted() -> None:
    headers = b"".join(b"a%d: %s\r\n" % (n, b"b" * 500) for n in range(97))
    head = b"GET /" + b"u" * 8000 + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + headers + b"\r\n"
    async with http_server(HttpLimits()) as server:
        assert status(await server.exchange(head)) == 200


async def test_endless_trailers_close_the_connection() -> None:
    start = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    async with http_server(HttpLimits()) as server:
        assert await server.exchange(start, b"trailer: " + b"a" * 70_000) == b""
        assert not server.protocols


async def test_trailers_do_not_become_headers() -> None:
    body = b"1\r\na\r\n0\r\nauthorization: forged\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    async with http_server(HttpLimits()) as server:
        assert status(await server.exchange(head, body)) == 200
        assert b"authorization" not in dict(server.application.headers)


@pytest.mark.parametrize("size", [1, 1000, 65_536, 5_000_000])
@pytest.mark.parametrize("chunk", [None, 100, 60_000], ids=["content-length", "small chunks", "large chunks"])
async def test_a_body_arrives_whole_and_the_next_request_after_it(size: int, chunk: int | None) -> None:
    if chunk is None:
        head, body = b"content-length: %d" % size, b"a" * size
    else:
        size = min(size, 500 * chunk)
        sizes = [chunk] * (size // chunk) + [size % chunk] * (size % chunk > 0)
        head = b"transfer-encoding: chunked"
        body = b"".join(b"%x\r\n%s\r\n" % (n, b"a" * n) for n in sizes) + b"0\r\n\r\n"
    async with http_server(HttpLimits()) as server:
        response = await server.exchange(b"POST / HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n\r\n" + body + CLOSE)
    assert response.count(b"HTTP/1.1 200") == 2
    assert b"\r\n\r\n%d" % size in response


async def test_reading_stops_while_four_requests_of_a_connection_are_unanswered() -> None:
    async with http_server(HttpLimits()) as server:
        server.application.gate.clear()
        reader, writer = await server.connect()
        writer.write(GET * 20_000)
        await wait_until(lambda: server.protocols and server.protocols[0].flow.read_paused)
        [protocol] = server.protocols
        assert len(protocol.pipeline) == 3
        assert len(protocol._unparsed) <= 300_000
        server.application.gate.set()
        answered = 0
        while answered < 20_000:
            answered += (await reader.readuntil(b"\r\n\r\n0")).count(b"HTTP/1.1 200")
        writer.close()
        await wait_until(lambda: not server.protocols)


async def test_pipelined_responses_come_in_order() -> None:
    posts = b"".join(
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (n, b"a" * n) for n in range(1, 50)
    )
    async with http_server(HttpLimits()) as server:
        response = await server.exchange(posts + CLOSE)
    bodies = [part.split(b"HTTP/1.1")[0] for part in response.split(b"\r\n\r\n")[1:]]
    assert [int(body) for body in bodies] == [*range(1, 50), 0]


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n", b"\r\n"])
async def test_a_head_that_does_not_arrive_in_time_ends_the_connection(sent: bytes) -> None:
    async with http_server(HttpLimits(head_timeout=SECOND / 5)) as server:
        response = await server.exchange(sent)
        assert status(response) == (408 if sent else 0)


async def test_a_head_that_trickles_after_a_response_ends_the_connection() -> None:
    async with http_server(HttpLimits(head_timeout=SECOND / 2)) as server:
        reader, writer = await server.connect()
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n0")
        trickle = background_task(_trickle(writer, b"GET / HTTP/1.1\r\na: " + b"b" * 1000))
        async with trickle:
            assert status(await reader.read()) == 408
        writer.close()


async def test_a_body_that_trickles_after_its_response_ends_the_connection() -> None:
    async with http_server(HttpLimits(head_timeout=SECOND / 2, keep_alive_timeout=60 * SECOND)) as server:
        reader, writer = await server.connect()
        writer.write(b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n0")
        async with background_task(_trickle(writer, b"b" * 1000)):
            assert await reader.read() == b""
        writer.close()


async def _trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def test_an_idle_connection_is_closed() -> None:
    async with http_server(HttpLimits(keep_alive_timeout=SECOND / 5)) as server:
        assert status(await server.exchange(GET)) == 200


async def test_connections_beyond_the_limit_get_a_503() -> None:
    async with http_server(HttpLimits(max_connections=2)) as server:
        kept = [await server.connect() for _ in range(2)]
        await wait_until(lambda: len(server.protocols) == 2)
        response = await server.exchange()
        assert status(response) == 503
        assert b"retry-after: 1" in response
        kept[0][1].close()
        await wait_until(lambda: len(server.protocols) == 1)
        assert status(await server.exchange(CLOSE)) == 200
        kept[1][1].close()


async def test_an_upgrade_is_answered_as_an_ordinary_request() -> None:
    upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    async with http_server(HttpLimits()) as server:
        assert status(await server.exchange(upgrade + b"\0" * 1000)) == 200
