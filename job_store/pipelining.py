"""Automatic pipelining: commands issued in the same turn of the event loop share one round trip to Redis.

A round trip costs a client about as much as the command in it, and under load many commands are issued together: the
submits after one Predict, the results of one batch. The commands remain independent: each has its own reply or error,
and they are not executed atomically. When the connection is lost or times out, every command whose reply is missing
fails, whether Redis executed it or not.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis

MAX_PIPELINE_BYTES: Final = 1 << 20
"""Limits one round trip, so that small commands do not wait behind large ones. A larger command is sent alone."""

CommandArg = str | bytes | int | float


@dataclass(frozen=True, slots=True, eq=False)
class _Command:
    args: tuple[CommandArg, ...]
    """The command's name and its arguments."""
    reply: asyncio.Future[Any]

    @property
    def size(self) -> int:
        return sum(len(arg) for arg in self.args if isinstance(arg, bytes))

    def resolve(self, reply: Any) -> None:
        """Pass the reply, or the exception, to the caller, which may have been cancelled."""
        if self.reply.done():
            return
        if isinstance(reply, Exception):
            self.reply.set_exception(reply)
        else:
            self.reply.set_result(reply)


class Pipelining:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queue: list[_Command] = []
        self._round_trips: set[asyncio.Task[None]] = set()

    async def execute(self, name: str, *args: CommandArg) -> Any:
        """Execute one command. If all callers of a round trip are cancelled before it is sent, it is not sent."""
        loop = asyncio.get_running_loop()
        # Text is encoded here so that an argument that cannot be encoded fails only its own command.
        encoded = (arg.encode() if isinstance(arg, str) else arg for arg in args)
        command = _Command((name, *encoded), loop.create_future())
        if not self._queue:
            loop.call_soon(self._send)
        self._queue.append(command)
        return await command.reply

    def _send(self) -> None:
        commands = [command for command in self._queue if not command.reply.done()]
        self._queue.clear()
        for chunk in _chunks(commands):
            round_trip = asyncio.create_task(self._exchange(chunk))
            self._round_trips.add(round_trip)
            round_trip.add_done_callback(self._round_trips.discard)
            for command in chunk:
                command.reply.add_done_callback(partial(_cancel_if_abandoned, round_trip, chunk))

    async def _exchange(self, commands: Sequence[_Command]) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command.args)
                replies = await pipe.execute(raise_on_error=False)
        except Exception as error:
            replies = [error] * len(commands)
        for command, reply in zip(commands, replies, strict=True):
            command.resolve(reply)


def _cancel_if_abandoned(round_trip: asyncio.Task[None], commands: Sequence[_Command], _: object) -> None:
    if all(command.reply.cancelled() for command in commands):
        round_trip.cancel()


def _chunks(commands: Sequence[_Command]) -> Iterator[list[_Command]]:
    """Split the commands, in order, into chunks of at most `MAX_PIPELINE_BYTES`."""
    chunk: list[_Command] = []
    size = 0
    for command in commands:
        if chunk and size + command.size > MAX_PIPELINE_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(command)
        size += command.size
    if chunk:
        yield chunk
