"""A way to Redis on which connections go dead and answers get lost."""

import asyncio
from typing import Self


class FlakyNetwork:
    def __init__(self, port: int) -> None:
        self._port = port
        self._carriers: set[asyncio.Task[None]] = set()
        self._ends: list[asyncio.StreamWriter] = []
        self._loses_next_answer = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.forget_every_connection()
        for end in self._ends:
            end.close()

    def forget_every_connection(self) -> None:
        """Carry nothing over the connections there are, and close none of them. New ones work."""
        for carrier in self._carriers:
            carrier.cancel()

    def lose_next_answer(self) -> None:
        """Close the connection on which Redis answers next instead of carrying the answer."""
        self._loses_next_answer = True

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        redis, to_redis = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += [to_client, to_redis]
        for carry in (self._carry_commands(client, to_redis), self._carry_answers(redis, to_client)):
            carrier = asyncio.create_task(carry)
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)

    async def _carry_commands(self, client: asyncio.StreamReader, to_redis: asyncio.StreamWriter) -> None:
        while command := await client.read(65_536):
            to_redis.write(command)
        to_redis.close()

    async def _carry_answers(self, redis: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while (answer := await redis.read(65_536)) and not self._loses_next_answer:
            to_client.write(answer)
        self._loses_next_answer = False
        to_client.close()
