"""Wakes an idle worker when there is work."""

from datetime import timedelta
from typing import Self

from redis.asyncio import Redis

from job_store.connection import connect, redis_errors
from job_store.keys import Keys


class BacklogListener:
    """Blocks on the backlog, over a connection of its own, so that a wait never holds up a command."""

    def __init__(self, redis: Redis, keys: Keys, block_for: timedelta) -> None:
        self.redis = redis
        self._keys = keys
        self._block_for = block_for

    @classmethod
    def connect(cls, url: str, *, name: str, keys: Keys, block_for: timedelta, margin: timedelta) -> Self:
        """`block_for` is how long one wait may last, `margin` how much later Redis may say that it is over."""
        return cls(connect(url, name=name, timeout=block_for + margin), keys, block_for)

    async def wait(self, last_entry: str) -> None:
        """Return when the backlog has an entry newer than `last_entry`, or when block_for is at its end.

        It looks and takes nothing, so it can be cancelled at any moment and no job is lost by it. A cancellation that
        comes just as the wait begins may be heard only when block_for is at its end (see `redis_errors`).
        """
        milliseconds = int(self._block_for.total_seconds() * 1000)
        with redis_errors():
            await self.redis.xread({self._keys.backlog: last_entry}, count=1, block=milliseconds)
