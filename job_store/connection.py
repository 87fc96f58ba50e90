"""Connections to Redis, named, and with no retries of their own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from job_store.errors import StoreUnavailable

MAX_CONNECTIONS: Final = 50
"""Of one client. Who finds all of them in use waits for one, up to the timeout: Redis is busy then, not gone."""


def connect(url: str, *, name: str, timeout: timedelta) -> Redis:
    """Make a client that opens its connections when they are first needed.

    It never sends a command twice by itself. A submit that is sent again after a lost answer would be a second job;
    whether to try again is the caller's to say.
    """
    seconds = timeout.total_seconds()
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=seconds,
        client_name=name,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        # With these on, redis-py 8 hands out pooled connections that Redis has closed: each would fail one command.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis.from_pool(pool)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Whatever Redis or the way to it raises is one thing to a caller: the store is unavailable.

    A cancellation that comes just as a command goes out is lost in Python 3.11's `asyncio.wait_for`, which redis-py
    sends with, and a caller with a timeout would wait for ever. So it is raised here.
    """
    caller = asyncio.current_task()
    cancellations = caller.cancelling() if caller else 0
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis did not answer: {error or type(error).__name__}") from error
    finally:
        if caller and caller.cancelling() > cancellations:
            raise asyncio.CancelledError
