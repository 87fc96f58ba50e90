"""Bodies: slow, endless, badly framed, and JSON that is costly to parse."""

import base64
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

from tests.attack.attack import MB, Attack, Shot, Target, chunked_post, post, repeat, request
from tests.attack.bombs import large_png
from tests.attack.head_attacks import ENDLESS_BYTES, once

BUDGET_PART: Final = 256 * MB // 13
"""13 such uploads fill `MAX_BYTES_IN_FLIGHT`, except for a few bytes."""
PIECE_BYTES: Final = 64 * 1024
JSON_BYTES: Final = 20 * MB
JSON: Final = b"application/json"


def stalled(size: int) -> Shot:
    """All of a body but its last byte."""
    body = b"a" * (size - 1)
    pieces = [body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)]

    async def shot(target: Target) -> None:
        await target.send([post(size), *pieces], stall_s=60)

    return shot


def trickle() -> Shot:
    def body() -> Iterable[bytes]:
        yield post(MB)
        yield from (b"a" for _ in range(MB))

    async def shot(target: Target) -> None:
        await target.send(body(), pause_s=0.5)

    return shot


def endless_body(head: bytes, piece: bytes) -> Shot:
    async def shot(target: Target) -> None:
        await target.send(chain([head], repeat(piece, ENDLESS_BYTES)), stall_s=5)

    return shot


def endless_trailers() -> Shot:
    return endless_body(chunked_post() + b"0\r\n", b"x-a: bcd\r\n")


def json(body: bytes) -> Shot:
    return once(post(len(body), JSON), body, stall_s=60)


def many_keys() -> bytes:
    keys = b",".join(b'"%x":0' % number for number in range(JSON_BYTES // 11))
    return b'{"image_data":"",' + keys + b"}"


def image_data(start: bytes, piece: bytes, end: bytes) -> bytes:
    return b'{"image_data":' + start + piece * (JSON_BYTES // max(1, len(piece))) + end + b"}"


def valid() -> Shot:
    return json(image_data(b'"' + base64.b64encode(large_png(JSON_BYTES * 3 // 4)), b"", b'"'))


VALID: Final = Attack("JSON: a valid image", valid)


def _json(name: str, prepare: Callable[[], Shot], *, is_in_tests: bool = False) -> Attack:
    return Attack(f"JSON: {name}", prepare, twin=VALID, is_in_tests=is_in_tests)


ATTACKS: Final = [
    Attack(
        "13 uploads of 20 MB that stall",
        lambda: stalled(BUDGET_PART),
        clients=13,
        is_cheap=True,
        min_s=4,
        is_in_tests=True,
    ),
    Attack("6,500 small uploads that stall", lambda: stalled(250_000), clients=6_500, is_flood=True, min_s=15),
    Attack("200 bodies of two bytes a second", trickle, clients=200, is_cheap=True),
    Attack("chunks of one byte", lambda: endless_body(chunked_post(), b"1\r\na\r\n"), clients=8, is_in_tests=True),
    Attack("chunks with long extensions", lambda: endless_body(chunked_post(), b"1;" + b"a" * 900 + b"\r\na\r\n")),
    Attack("a chunk extension without end", lambda: endless_body(chunked_post() + b"1;", b"a"), clients=1),
    Attack("a chunked body without end", lambda: endless_body(chunked_post(), b"2000\r\n" + b"a" * 8192 + b"\r\n")),
    Attack("trailers without end", endless_trailers, clients=1, min_s=4, is_in_tests=True),
    Attack("a GET with a body", lambda: endless_body(request(b"GET", b"/health", b"content-length: 99999999"), b"a")),
    _json("nested lists", lambda: json(b"[" * JSON_BYTES)),
    _json("nested objects", lambda: json(b'{"a":' * (JSON_BYTES // 5))),
    _json("many keys", lambda: json(many_keys()), is_in_tests=True),
    _json("a number of 20 MB", lambda: json(image_data(b"", b"1", b""))),
    _json("a string that is not base64", lambda: json(image_data(b'"', b"!", b'"'))),
    _json("a string of escapes", lambda: json(image_data(b'"', rb"\u0041", b'"'))),
    _json("base64 between spaces", lambda: json(image_data(b'"', b"A ", b'"'))),
    VALID,
]
