"""A way from one process to another that the suite owns: it can be slow, carry nothing, be cut, or stop at a word."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, Self

Side = Literal["request", "answer"]

CHUNK: Final = 65_536
LEAST_S: Final = 1e-6
"""Between two chunks, so that none overtakes another."""


@dataclass
class Stop:
    """Where the link stops carrying: as soon as `word` goes by. `delivered`: whether the word still arrives, and what
    comes with it; `once`: of that, only what is before the word comes again."""

    word: bytes
    side: Side
    delivered: bool
    once: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def what_arrives(self, data: bytes) -> bytes:
        again = data.find(self.word, data.index(self.word) + len(self.word)) if self.once else -1
        return data if again < 0 else data[:again]


class Link:
    """TCP to a loopback port. What it holds back it delivers late, as a network does, unless it is cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.delay_s = 0.0
        """How much later everything arrives, in each direction."""
        self.bytes_per_s = float("inf")
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._stop: Stop | None = None
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
        """Carry nothing and close nothing, as a network does whose other end is out of reach."""
        self._flowing.clear()

    def cut(self) -> None:
        """Close every connection, with what is still on its way, and every new one."""
        self._is_cut = True
        for connection in self._connections:
            connection.cancel()

    def restore(self) -> None:
        self._is_cut, self._stop, self.delay_s, self.bytes_per_s = False, None, 0.0, float("inf")
        self._flowing.set()

    def stop_at(self, word: bytes, side: Side, *, delivered: bool, once: bool = False) -> asyncio.Event:
        """Carry nothing any more from the moment that `word` goes by; return what tells that it did."""
        self._stop = Stop(word, side, delivered, once)
        return self._stop.reached

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection
        self._connections.add(connection)
        writers = [writer]
        try:
            await self._flowing.wait()
            if not self._is_cut:
                upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
                writers.append(downstream)
                await self._carry_both_ways(reader, writer, upstream, downstream)
        except (OSError, asyncio.CancelledError):
            pass  # one end is gone, or the link was cut: the other end shall see it too
        finally:
            self._connections.discard(connection)
            for each in writers:
                each.transport.abort()

    async def _carry_both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        downstream: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.ensure_future(self._carry(reader, downstream, "request")),
            asyncio.ensure_future(self._carry(upstream, writer, "answer")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, side: Side) -> None:
        loop, due = asyncio.get_running_loop(), 0.0
        with suppress(OSError):
            while data := await source.read(CHUNK):
                stop = self._stop
                is_here = stop is not None and stop.side == side and stop.word in data and self._flowing.is_set()
                if stop and is_here and not stop.delivered:
                    self._reach(stop)
                if stop and is_here:
                    data = stop.what_arrives(data)
                await self._flowing.wait()
                now = loop.time()
                due = max(due + LEAST_S, now + self.delay_s) + len(data) / self.bytes_per_s
                if due > now:
                    loop.call_at(due, sink.write, data)
                else:
                    sink.write(data)
                if stop and is_here and stop.delivered:
                    self._reach(stop)
                await sink.drain()
            await asyncio.sleep(due - loop.time())  # what is on its way comes before the end

    def _reach(self, stop: Stop) -> None:
        self.stall()
        stop.reached.set()
