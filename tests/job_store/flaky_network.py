"""Forwards TCP connections to Redis, and can freeze connections and drop replies."""

import asyncio
from typing import Self


class FlakyNetwork:
    def __init__(self, port: int) -> None:
        self._port = port
        self._forwarders: set[asyncio.Task[None]] = set()
        self._endpoints: list[asyncio.StreamWriter] = []
        self._min_dropped_bytes: int | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.freeze_connections()
        for endpoint in self._endpoints:
            endpoint.close()

    def freeze_connections(self) -> None:
        """Forward nothing more over the existing connections, without closing them. New ones work."""
        for forwarder in self._forwarders:
            forwarder.cancel()

    def drop_next_reply(self, *, larger_than: int = 0) -> None:
        """Close the connection on which Redis sends the next such reply instead of forwarding the reply."""
        self._min_dropped_bytes = larger_than + 1

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        redis, to_redis = await asyncio.open_connection("127.0.0.1", self._port)
        self._endpoints += [to_client, to_redis]
        for forward in (self._forward_commands(client, to_redis), self._forward_replies(redis, to_client)):
            forwarder = asyncio.create_task(forward)
            self._forwarders.add(forwarder)
            forwarder.add_done_callback(self._forwarders.discard)

    async def _forward_commands(self, client: asyncio.StreamReader, to_redis: asyncio.StreamWriter) -> None:
        while command := await client.read(65_536):
            to_redis.write(command)
        to_redis.close()

    async def _forward_replies(self, redis: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while (reply := await redis.read(65_536)) and not self._is_dropped(reply):
            to_client.write(reply)
        self._min_dropped_bytes = None
        to_client.close()

    def _is_dropped(self, reply: bytes) -> bool:
        return self._min_dropped_bytes is not None and len(reply) >= self._min_dropped_bytes
