"""Makes named Redis clients that never retry, and turns Redis errors into `StoreUnavailable`."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from job_store.errors import StoreUnavailable

MAX_CONNECTIONS: Final = 50
"""Per client. Callers block when the pool is exhausted, up to the timeout of the client."""

NOT_PRIMARY: Final = re.compile(r"\b(READONLY|MASTERDOWN|NOREPLICAS)\b")
"""In errors of a Redis that is no longer the primary. Redis 6.2 puts the code inside the text of a script's error;
redis-py moves it from the text to `status_code`. After LOADING, redis-py closes the connection anyway."""


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
    pool.connection_class = _closed_when_demoted(pool.connection_class)
    return Redis.from_pool(pool)


def _closed_when_demoted(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """Make a connection that is closed after an error like READONLY.

    Its address may meanwhile lead to another Redis, which is now the primary: a new connection finds it.
    """

    class ClosedWhenDemoted(connection_class):  # type: ignore[misc, valid-type] # the base class depends on the URL
        async def read_response(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return await super().read_response(*args, **kwargs)
            except ResponseError as error:
                if NOT_PRIMARY.search(f"{error.status_code} {error}"):
                    self.mark_for_reconnect()  # when it returns to the pool, so that a pipeline reads its other replies
                raise

    return ClosedWhenDemoted


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
