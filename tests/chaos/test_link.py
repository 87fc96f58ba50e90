"""The suite's own network does what the faults rely on."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from harness.waiting import wait_until
from tests.chaos.link import Link


@dataclass
class Conversation:
    """A client at one end of a link and, at the other, a server that shouts back."""

    link: Link
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[bytes]

    async def says(self, word: bytes) -> None:
        self.writer.write(word)
        await self.writer.drain()

    async def hears(self, within: float = 5) -> bytes | None:
        try:
            return await asyncio.wait_for(self.reader.read(100), within)
        except TimeoutError:
            return None


@pytest_asyncio.fixture
async def conversation() -> AsyncIterator[Conversation]:
    heard: list[bytes] = []

    async def shout_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while word := await reader.read(100):
            heard.append(word)
            writer.write(word.upper())
        writer.close()

    server = await asyncio.start_server(shout_back, "127.0.0.1", 0)
    async with server, Link(server.sockets[0].getsockname()[1]) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        yield Conversation(link, reader, writer, heard)
        writer.close()


async def test_it_carries_both_ways(conversation: Conversation) -> None:
    await conversation.says(b"hello")
    assert await conversation.hears() == b"HELLO"


async def test_what_it_holds_back_arrives_late(conversation: Conversation) -> None:
    conversation.link.stall()
    await conversation.says(b"hello")
    assert await conversation.hears(within=0.1) is None
    assert conversation.heard == []
    conversation.link.restore()
    assert await conversation.hears() == b"HELLO"


@pytest.mark.parametrize(("delivered", "heard"), [(True, [b"stop here"]), (False, [])])
async def test_it_stops_at_a_word_that_arrives_or_not(
    delivered: bool, heard: list[bytes], conversation: Conversation
) -> None:
    reached = conversation.link.stop_at(b"stop", "request", delivered=delivered)
    await conversation.says(b"stop here")
    await asyncio.wait_for(reached.wait(), 5)
    assert await conversation.hears(within=0.1) is None, "no answer comes back"
    assert conversation.heard == heard


async def test_what_was_on_its_way_when_it_is_cut_never_arrives(conversation: Conversation) -> None:
    reached = conversation.link.stop_at(b"stop", "request", delivered=False)
    await conversation.says(b"stop")
    await asyncio.wait_for(reached.wait(), 5)
    conversation.link.cut()
    assert await conversation.hears() == b"", "the connection should be closed"
    conversation.link.restore()
    assert conversation.heard == []


async def test_it_can_be_slow(conversation: Conversation) -> None:
    conversation.link.delay_s = 0.1
    began = time.monotonic()
    await conversation.says(b"hello")
    assert await conversation.hears() == b"HELLO"
    assert time.monotonic() - began >= 0.2


async def test_it_can_stop_in_the_middle_of_what_comes_at_once(conversation: Conversation) -> None:
    stopped = conversation.link.stop_at(b"word", "request", delivered=True, once=True)
    await conversation.says(b"a word, and another word, and more")
    await stopped.wait()
    await wait_until(lambda: conversation.heard)
    assert conversation.heard == [b"a word, and another "]
