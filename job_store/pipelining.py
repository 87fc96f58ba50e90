"""Automatic pipelining: commands that come in the same turn of the event loop share a round trip to Redis.

A round trip costs a client about as much as the command in it, and those who come together do so under load, when it
matters: the payloads of one Predict, the jobs of one batch. Each command stays what it is, with an answer or an error of
its own, and nothing makes them one step. A connection that is lost, or silent for too long, is an error for all whose
answers were to come over it, whichever of them Redis has executed.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis

ENOUGH_BYTES: Final = 1 << 20
"""In one round trip. Small payloads are not to wait for large ones to be sent: what comes beyond it takes another."""


Word = str | bytes | int | float


@dataclass(frozen=True, slots=True, eq=False)
class _Command:
    words: tuple[Word, ...]
    """The first is the command's name; in the others, text is encoded, so that what can't be fails nobody else."""
    answer: asyncio.Future[Any]

    @property
    def size(self) -> int:
        return sum(len(word) for word in self.words if isinstance(word, bytes))

    def set(self, said: Any) -> None:
        """`said` is what Redis answers, or an exception. Who asked may have gone."""
        if self.answer.done():
            return
        if isinstance(said, Exception):
            self.answer.set_exception(said)
        else:
            self.answer.set_result(said)


class Pipelining:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[_Command] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def execute(self, name: str, *words: Word) -> Any:
        """Execute one command. Once all who share a round trip have been cancelled, what was not sent is not sent."""
        loop = asyncio.get_running_loop()
        encoded = (word.encode() if isinstance(word, str) else word for word in words)
        command = _Command((name, *encoded), loop.create_future())
        if not self._waiting:
            loop.call_soon(self._send)
        self._waiting.append(command)
        return await command.answer

    def _send(self) -> None:
        wanted = [command for command in self._waiting if not command.answer.done()]
        self._waiting.clear()
        for together in _parcels(wanted):
            exchange = asyncio.create_task(self._exchange(together))
            self._under_way.add(exchange)
            exchange.add_done_callback(self._under_way.discard)
            for command in together:
                command.answer.add_done_callback(partial(_end_if_unwanted, exchange, together))

    async def _exchange(self, commands: Sequence[_Command]) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command.words)
                answers = await pipe.execute(raise_on_error=False)
        except Exception as error:
            answers = [error] * len(commands)
        for command, said in zip(commands, answers, strict=True):
            command.set(said)


def _end_if_unwanted(exchange: asyncio.Task[None], commands: Sequence[_Command], _: object) -> None:
    if all(command.answer.cancelled() for command in commands):
        exchange.cancel()


def _parcels(commands: Sequence[_Command]) -> Iterator[list[_Command]]:
    parcel: list[_Command] = []
    size = 0
    for command in commands:
        if parcel and size + command.size > ENOUGH_BYTES:
            yield parcel
            parcel, size = [], 0
        parcel.append(command)
        size += command.size
    if parcel:
        yield parcel
