"""Binds the ports before a model is loaded, so that a port in use is reported immediately."""

import errno
import socket
from dataclasses import dataclass
from typing import Final

from local_tf_serving.errors import CannotStart
from local_tf_serving.flags import Flags

PORT_EXIT_STATUS: Final = 1


@dataclass(frozen=True, slots=True)
class BoundSockets:
    """Bound sockets that do not listen yet: other processes cannot take the ports, and clients are refused."""

    grpc: socket.socket
    rest: socket.socket | None


def bind(flags: Flags) -> BoundSockets:
    """Raises CannotStart if a port is unavailable."""
    grpc = _bind(flags.host, flags.port, "--port")
    rest = _bind(flags.host, flags.rest_api_port, "--rest_api_port") if flags.rest_api_port else None
    return BoundSockets(grpc, rest)


def address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unavailable(host: str, port: int, flag: str, error: Exception) -> CannotStart:
    if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
        return CannotStart(
            f"cannot listen on {address(host, port)} ({error}): change --host or {flag}", PORT_EXIT_STATUS
        )
    return CannotStart(
        f"{address(host, port)} is in use: stop the process that listens there (`lsof -i :{port}` finds it), or choose "
        f"another port with {flag}",
        PORT_EXIT_STATUS,
    )


def _bind(host: str, port: int, flag: str) -> socket.socket:
    try:
        family, kind, protocol, _, socket_address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignores connections in TIME_WAIT
        bound.bind(socket_address)
    except OSError as error:
        raise unavailable(host, port, flag, error) from error
    return bound
