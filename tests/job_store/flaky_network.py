"""A way to Redis that can go dead without a word, as one through a router that forgets its connections does."""

import asyncio
from typing import Self


class FlakyNetwork:
    def __init__(self, port: int) -> None:
        self._port = port
        self._transports: set[asyncio.Task[None]] = set()
        self._dead: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.forget_every_connection()
        for writer in self._dead:
            writer.close()

    def forget_every_connection(self) -> None:
        """Carry nothing over the connections there are, and close none of them; new ones work."""
        for transport in self._transports:
            transport.cancel()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._dead += [writer, redis_writer]
        for source, sink in ((reader, redis_writer), (redis_reader, writer)):
            transport = asyncio.create_task(self._carry(source, sink))
            self._transports.add(transport)
            transport.add_done_callback(self._transports.discard)

    @staticmethod
    async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
        sink.close()
