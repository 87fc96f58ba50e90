"""Makes named Redis clients that never retry, and turns Redis errors into `StoreUnavailable`."""

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
"""Per client. Callers block when the pool is exhausted, up to the timeout of the client."""


def connect(url: str, *, name: str, timeout: timedelta) -> Redis:
    """Make a client that opens connections on first use and sends each command at most once.

    `timeout` limits connecting, each command, and the wait for a free connection. Whether to retry is up to the
    caller: retrying a submit whose reply was lost creates a second job.
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
        # When enabled, redis-py 8 hands out pooled connections that Redis has closed, and the next command fails.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis.from_pool(pool)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn every error of Redis or of the connection into `StoreUnavailable`, and raise swallowed cancellations.

    redis-py sends commands with `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that arrives just as
    the command has been sent. A caller with a timeout would then wait forever.
    """
    caller = asyncio.current_task()
    cancellations = caller.cancelling() if caller else 0
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis command failed: {error or type(error).__name__}") from error
    finally:
        if caller and caller.cancelling() > cancellations:
            raise asyncio.CancelledError
