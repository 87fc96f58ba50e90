"""Free loopback ports for the services of `make run`."""

import errno
import socket
from collections.abc import Container
from contextlib import closing
from typing import Final

HOST: Final = "127.0.0.1"


class NoFreePort(Exception):
    pass


def check(port: int) -> None:
    """Raise PermissionError if the port is reserved for root, another OSError if it is in use.

    A port that is in use only on `::1` counts as in use, because clients may resolve `localhost` to that address.
    """
    for family, host in ((socket.AF_INET, HOST), (socket.AF_INET6, "::1")):
        try:
            _bind(family, host, port)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # these mean that there is no IPv6
                raise


def is_free(port: int) -> bool:
    try:
        check(port)
    except OSError:
        return False
    return True


def free_ports(preferred: int, count: int = 1, *, exclude: Container[int] = ()) -> range:
    """Return the first `count` consecutive free ports at or above `preferred`. Raises NoFreePort."""
    for first in range(preferred, 65537 - count):
        ports = range(first, first + count)
        if all(port not in exclude and is_free(port) for port in ports):
            return ports
    raise NoFreePort(f"no free port at or above {preferred}: choose a lower port")


def _bind(family: socket.AddressFamily, host: str, port: int) -> None:
    with closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind((host, port))
