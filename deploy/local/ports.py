"""Loopback ports for the processes of one run."""

import socket
from contextlib import closing

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(preferred: int, count: int = 1) -> int:
    """Return the first of `count` free ports in a row, `preferred` itself where it can be."""
    candidates = range(preferred, 65536 - count)
    return next(first for first in candidates if all(is_free(first + step) for step in range(count)))
