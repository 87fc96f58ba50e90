"""Blocks an idle worker until a job is queued."""

from datetime import timedelta
from typing import Self

from redis.asyncio import Redis

from job_store.connection import connect, redis_errors
from job_store.keys import Keys


class BacklogListener:
    """Blocks on the backlog over a connection of its own, so that waiting never delays other commands."""

    def __init__(self, redis: Redis, keys: Keys, block_for: timedelta) -> None:
        self.redis = redis
        self._keys = keys
        self._block_for = block_for

    @classmethod
    def connect(cls, url: str, *, name: str, keys: Keys, block_for: timedelta, margin: timedelta) -> Self:
        """Make a listener that waits for at most `block_for`; its connection times out `margin` later."""
        return cls(connect(url, name=name, timeout=block_for + margin), keys, block_for)

    async def wait(self, last_entry: str) -> None:
        """Return when the backlog has an entry newer than `last_entry`, or after `block_for`.

        It only reads, so cancelling it loses no job. A cancellation that arrives while the command is being sent may
        take effect only after `block_for` (see `redis_errors`).
        """
        milliseconds = int(self._block_for.total_seconds() * 1000)
        with redis_errors():
            await self.redis.xread({self._keys.backlog: last_entry}, count=1, block=milliseconds)
