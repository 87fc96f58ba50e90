"""Limits on what one connection may send and hold, and how many connections one process accepts."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """uvicorn hands these to each connection's `BoundedHttpProtocol` in the lifespan state, under `LIMITS_KEY`."""

    max_connections: int = 1_000
    """Per process. Further connections get a 503 and are closed."""
    max_head_bytes: int = 64 * 1024
    """Of one request without its body: request line, headers, trailers, and the blank lines before them."""
    max_url_bytes: int = 8 * 1024
    max_headers: int = 100
    max_pipelined: int = 4
    """Unanswered requests of one connection. The proxy stops reading from it until one is answered."""
    head_timeout: timedelta = timedelta(seconds=10)
    """How long a request's head may take to arrive, counted from the connection, from the previous response, or from
    the head's first byte; also how long the rest of a body may take after its request was answered, and how long a
    client may take to read a response that does not fit into the socket's buffer."""
    keep_alive_timeout: timedelta = timedelta(seconds=5)
    """How long a connection stays open between a response and the next request, or up to half as long again."""


LIMITS_KEY: Final = "http_limits"
BUDGET_KEY: Final = "byte_budget"
LISTENERS_KEY: Final = "listeners"
TURNS_KEY: Final = "turns"
"""Keys of the lifespan state. The listeners are the sockets that accept connections."""
UPLOAD_KEY: Final = "upload"
"""Key of a request's `Upload` in its state."""
