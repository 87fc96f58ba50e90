"""Wakes an idle worker when there is work."""

from datetime import timedelta
from typing import Self

from redis.asyncio import Redis

from job_store.connection import connect
from job_store.keys import Keys
from job_store.store import redis_answers


class BacklogBell:
    """Blocks on the backlog, over a connection of its own, so that a wait never holds up a command."""

    def __init__(self, redis: Redis, keys: Keys, patience: timedelta) -> None:
        self.redis = redis
        self._keys = keys
        self._patience = patience

    @classmethod
    def hang(cls, url: str, *, name: str, keys: Keys, patience: timedelta, margin: timedelta) -> Self:
        """`patience` is how long one wait may last, `margin` how much later Redis may say that it is over."""
        return cls(connect(url, name=name, timeout=patience + margin), keys, patience)

    async def wait(self, last_entry: str) -> None:
        """Return when the backlog has an entry newer than `last_entry`, or when patience is at its end.

        It looks and takes nothing, so it can be cancelled at any moment and no job is lost by it. A cancellation that
        comes just as the wait begins may be heard only when patience is at its end (see `redis_answers`).
        """
        milliseconds = int(self._patience.total_seconds() * 1000)
        with redis_answers():
            await self.redis.xread({self._keys.backlog: last_entry}, count=1, block=milliseconds)
