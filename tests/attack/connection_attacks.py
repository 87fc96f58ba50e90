"""Connections that do nothing, or that do it often."""

from typing import Final

from tests.attack.attack import Attack, Shot, Target, request
from tests.attack.head_attacks import once

HOLD_S: Final = 3600.0


def idle() -> Shot:
    async def shot(target: Target) -> None:
        await target.send([], stall_s=HOLD_S)

    return shot


def idle_after_a_request() -> Shot:
    async def shot(target: Target) -> None:
        reader, writer = await target.connect()
        try:
            writer.write(request(b"GET", b"/health"))
            await reader.readuntil(b"}")
            target.responses["200"] += 1
            await reader.read()  # until the proxy closes the connection
        finally:
            writer.transport.abort()

    return shot


def close_after_half_a_request() -> Shot:
    async def shot(target: Target) -> None:
        _, writer = await target.connect()
        writer.write(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc")
        writer.transport.abort()
        target.responses["closed"] += 1

    return shot


ATTACKS: Final = [
    Attack("3,000 idle connections", idle, clients=3_000, pause_s=1, is_flood=True, min_s=4),
    Attack(
        "3,000 keep-alive connections",
        idle_after_a_request,
        clients=3_000,
        pause_s=1,
        is_flood=True,
        min_s=4,
        is_in_tests=True,
    ),
    Attack("connections that are reset", close_after_half_a_request, clients=50, pause_s=0.05, is_in_tests=True),
    Attack("upgrades", lambda: once(request(b"GET", b"/", b"connection: upgrade", b"upgrade: websocket")), clients=20),
    Attack("not HTTP", lambda: once(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 100), clients=20),
]
