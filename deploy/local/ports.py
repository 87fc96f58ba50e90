"""Loopback ports for the processes of one run."""

import errno
import socket
from collections.abc import Container
from contextlib import closing

HOST = "127.0.0.1"


class NoFreePort(Exception):
    pass


def check(port: int) -> None:
    """Raises `PermissionError` for a port that is kept for root, and another `OSError` for one that is in use.

    Whoever listens on `::1` has the port too: `localhost` may mean that.
    """
    for family, host in ((socket.AF_INET, HOST), (socket.AF_INET6, "::1")):
        try:
            _bind(family, host, port)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # a machine without IPv6
                raise


def is_free(port: int) -> bool:
    try:
        check(port)
    except OSError:
        return False
    return True


def free_ports(preferred: int, count: int = 1, *, besides: Container[int] = ()) -> range:
    """Return `count` free ports in a row, `preferred` first where it can be. Raises `NoFreePort`."""
    for first in range(preferred, 65537 - count):
        ports = range(first, first + count)
        if all(port not in besides and is_free(port) for port in ports):
            return ports
    raise NoFreePort(f"there is no free port from {preferred} on: choose a lower one")


def _bind(family: socket.AddressFamily, host: str, port: int) -> None:
    with closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind((host, port))
