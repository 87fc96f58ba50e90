import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from harness.waiting import wait_until
from tests.chaos.tcp_link import TcpLink


@dataclass(frozen=True, slots=True)
class Connection:
    """A client's connection over a link to a server that responds with each request in capitals."""

    link: TcpLink
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: list[bytes]
    """By the server."""

    async def send(self, request: bytes) -> None:
        self.writer.write(request)
        await self.writer.drain()

    async def response(self, within: float = 5) -> bytes | None:
        try:
            return await asyncio.wait_for(self.reader.read(100), within)
        except TimeoutError:
            return None


@pytest_asyncio.fixture
async def connection() -> AsyncIterator[Connection]:
    received: list[bytes] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(100):
            received.append(request)
            writer.write(request.upper())
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server, TcpLink(server.sockets[0].getsockname()[1]) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        yield Connection(link, reader, writer, received)
        writer.close()


async def test_data_is_forwarded_in_both_directions(connection: Connection) -> None:
    await connection.send(b"hello")
    assert await connection.response() == b"HELLO"


async def test_stalled_data_arrives_after_restore(connection: Connection) -> None:
    connection.link.stall()
    await connection.send(b"hello")
    assert await connection.response(within=0.1) is None
    assert connection.received == []
    connection.link.restore()
    assert await connection.response() == b"HELLO"


@pytest.mark.parametrize(("forward", "received"), [(True, [b"stop here"]), (False, [])])
async def test_a_trigger_stalls_the_link_before_or_after_its_pattern_is_forwarded(
    forward: bool, received: list[bytes], connection: Connection
) -> None:
    fired = connection.link.stall_at(b"stop", "request", forward=forward)
    await connection.send(b"stop here")
    await asyncio.wait_for(fired.wait(), 5)
    assert await connection.response(within=0.1) is None, "the response should be stalled"
    assert connection.received == received


async def test_data_in_transit_is_lost_when_the_link_is_cut(connection: Connection) -> None:
    fired = connection.link.stall_at(b"stop", "request", forward=False)
    await connection.send(b"stop")
    await asyncio.wait_for(fired.wait(), 5)
    connection.link.cut()
    assert await connection.response() == b"", "the connection should be closed"
    connection.link.restore()
    assert connection.received == []


async def test_a_delay_applies_to_each_direction(connection: Connection) -> None:
    connection.link.delay_s = 0.1
    started = time.monotonic()
    await connection.send(b"hello")
    assert await connection.response() == b"HELLO"
    assert time.monotonic() - started >= 0.2


async def test_a_trigger_can_split_a_chunk_before_the_second_match(connection: Connection) -> None:
    fired = connection.link.stall_at(b"word", "request", forward=True, first_only=True, min_matches=2)
    await connection.send(b"one word")
    assert await connection.response() == b"ONE WORD", "it should wait for a chunk with two matches"
    await connection.send(b"a word, and another word, and more")
    await asyncio.wait_for(fired.wait(), 5)
    await wait_until(lambda: len(connection.received) == 2)
    assert connection.received[1] == b"a word, and another "
