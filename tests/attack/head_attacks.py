"""Heads of requests: headers, URLs, blank lines, and many requests at once."""

from collections.abc import Iterable
from itertools import chain
from typing import Final

from tests.attack.attack import MB, Attack, Shot, Target, repeat, request

ENDLESS_BYTES: Final = 64 * MB
START: Final = b"GET /health HTTP/1.1\r\nhost: x\r\n"
PIPELINED_BYTES: Final = 210_000
"""Of one connection. 90 connections send 19 MB."""


def endless(start: bytes, piece: bytes) -> Shot:
    async def shot(target: Target) -> None:
        await target.send(chain([start], repeat(piece, ENDLESS_BYTES)), stall_s=5)

    return shot


def once(*pieces: bytes, stall_s: float = 5) -> Shot:
    async def shot(target: Target) -> None:
        await target.send(pieces, stall_s=stall_s)

    return shot


def pipelined(path: bytes) -> Shot:
    get = request(b"GET", path)

    async def shot(target: Target) -> None:
        await target.send([get * (PIPELINED_BYTES // len(get))], stall_s=60)

    return shot


def unread_responses() -> Shot:
    get = request(b"GET", b"/openapi.json")

    async def shot(target: Target) -> None:
        reader, writer = await target.connect()
        reader._transport.pause_reading()  # type: ignore[attr-defined] # no client of asyncio does this by itself
        try:
            await target._write(writer, repeat(get, ENDLESS_BYTES), 0)
        finally:
            writer.transport.abort()
        target.responses["closed"] += 1

    return shot


def slow_head() -> Shot:
    def head() -> Iterable[bytes]:
        yield START
        for number in range(10_000):
            yield b"x-%d: y\r\n" % number

    async def shot(target: Target) -> None:
        await target.send(head(), pause_s=1)

    return shot


def many_headers(count: int) -> bytes:
    return START + b"".join(b"x-%d: y\r\n" % number for number in range(count)) + b"\r\n"


ATTACKS: Final = [
    Attack(
        "headers without end", lambda: endless(START, b"x-header: " + b"a" * 500 + b"\r\n"), clients=1, is_in_tests=True
    ),
    Attack("short headers without end", lambda: endless(START, b"a:b\r\n"), clients=1, min_s=5),
    Attack("one header of 64 MB", lambda: endless(START + b"x-header: ", b"a"), clients=1),
    Attack("a header's name of 64 MB", lambda: endless(START, b"a"), clients=1),
    Attack("20,000 headers", lambda: once(many_headers(20_000)), clients=20),
    Attack("a URL of 1 MB", lambda: once(request(b"GET", b"/" + b"a" * MB)), clients=8),
    Attack("a URL of 64 MB", lambda: endless(b"GET /", b"a"), clients=1),
    Attack("blank lines without end", lambda: endless(b"", b"\r\n"), clients=2, is_in_tests=True),
    Attack("pipelined GET /health", lambda: pipelined(b"/health"), clients=90, pause_s=1, is_in_tests=True),
    Attack("pipelined GET /job", lambda: pipelined(b"/job/0"), clients=90, pause_s=1),
    Attack("pipelined, responses unread", unread_responses, clients=20, is_in_tests=True),
    Attack("slow heads", slow_head, clients=600, pause_s=1, is_cheap=True, is_in_tests=True),
]
