"""Forwards TCP connections and injects network faults: delay, throttling, stalls and closed connections."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, Self

Direction = Literal["request", "response"]

CHUNK_BYTES: Final = 65_536
MIN_GAP_S: Final = 1e-6
"""Between two delayed chunks, so that they keep their order."""


@dataclass(frozen=True, slots=True)
class StallTrigger:
    """Stalls the link at a chunk of data that contains `pattern` at least `min_matches` times.

    The chunk is forwarded with `forward`; with `first_only`, only the part before the second match.
    """

    pattern: bytes
    direction: Direction
    forward: bool
    first_only: bool = False
    min_matches: int = 1
    fired: asyncio.Event = field(default_factory=asyncio.Event)

    def matches(self, data: bytes, direction: Direction) -> bool:
        return direction == self.direction and data.count(self.pattern) >= self.min_matches

    def forwarded_part(self, data: bytes) -> bytes:
        second = data.find(self.pattern, data.index(self.pattern) + 1) if self.first_only else -1
        return data if second < 0 else data[:second]


class TcpLink:
    """Forwards TCP connections to a loopback port. Stalled data is forwarded later unless the link is cut."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        """Of connections that are opened from now on."""
        self.delay_s = 0.0
        """Added latency in each direction."""
        self.bytes_per_s = float("inf")
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._trigger: StallTrigger | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def stall(self) -> None:
        """Forward nothing and keep connections open, like a network partition."""
        self._flowing.clear()

    def cut(self) -> None:
        """Close all connections, drop data in transit, and close new connections immediately."""
        self._is_cut = True
        for connection in self._connections:
            connection.cancel()

    def restore(self) -> None:
        self._is_cut, self._trigger, self.delay_s, self.bytes_per_s = False, None, 0.0, float("inf")
        self._flowing.set()

    def stall_at(
        self, pattern: bytes, direction: Direction, *, forward: bool, first_only: bool = False, min_matches: int = 1
    ) -> asyncio.Event:
        """Set a `StallTrigger`, and return the event that is set when the link stalls."""
        self._trigger = StallTrigger(pattern, direction, forward, first_only, min_matches)
        return self._trigger.fired

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection
        self._connections.add(connection)
        writers = [writer]
        try:
            await self._flowing.wait()
            if not self._is_cut:
                upstream, downstream = await asyncio.open_connection("127.0.0.1", self.target_port)
                writers.append(downstream)
                await self._forward_both(reader, writer, upstream, downstream)
        except (OSError, asyncio.CancelledError):
            pass  # an end closed or the link was cut; both ends are closed below
        finally:
            self._connections.discard(connection)
            for each in writers:
                each.transport.abort()

    async def _forward_both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        downstream: asyncio.StreamWriter,
    ) -> None:
        tasks = [
            asyncio.ensure_future(self._forward(reader, downstream, "request")),
            asyncio.ensure_future(self._forward(upstream, writer, "response")),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: Direction) -> None:
        loop, due = asyncio.get_running_loop(), 0.0
        with suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                trigger = self._matching_trigger(data, direction)
                if trigger and not trigger.forward:
                    self._fire(trigger)
                if trigger:
                    data = trigger.forwarded_part(data)
                await self._flowing.wait()
                now = loop.time()
                due = max(due + MIN_GAP_S, now + self.delay_s) + len(data) / self.bytes_per_s
                if due > now:
                    loop.call_at(due, sink.write, data)
                else:
                    sink.write(data)
                if trigger and trigger.forward:
                    self._fire(trigger)
                await sink.drain()
            await asyncio.sleep(due - loop.time())  # delayed chunks are written before the connection closes

    def _matching_trigger(self, data: bytes, direction: Direction) -> StallTrigger | None:
        trigger = self._trigger
        return trigger if trigger and trigger.matches(data, direction) and self._flowing.is_set() else None

    def _fire(self, trigger: StallTrigger) -> None:
        self.stall()
        trigger.fired.set()
