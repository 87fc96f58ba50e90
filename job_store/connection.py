"""Connections to Redis, named, and with no retries of their own."""

from datetime import timedelta

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def connect(url: str, *, name: str, timeout: timedelta) -> Redis:
    """Make a client that opens its connections when they are first needed.

    It never sends a command twice by itself. A submit that is sent again after a lost answer would be a second job;
    whether to try again is the caller's to say.
    """
    seconds = timeout.total_seconds()
    return Redis.from_url(
        url,
        client_name=name,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
    )
