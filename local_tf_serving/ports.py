"""Claiming the ports before there is anything to serve on them."""

import errno
import socket
from dataclasses import dataclass

from local_tf_serving.errors import CannotStart
from local_tf_serving.flags import Flags

_PORT_EXIT = 1


@dataclass(frozen=True)
class Claimed:
    """Sockets that are bound and do not listen: nobody else gets the port, and clients are refused."""

    grpc: socket.socket
    rest: socket.socket | None


def claim(flags: Flags) -> Claimed:
    """Raises CannotStart if a port can't be had."""
    grpc = _bind(flags.host, flags.port, "--port")
    return Claimed(grpc, _bind(flags.host, flags.rest_api_port, "--rest_api_port") if flags.rest_api_port else None)


def address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refusal(host: str, port: int, flag: str, error: Exception) -> CannotStart:
    """One line for a person whose port can't be had."""
    if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
        return CannotStart(f"can't listen on {address(host, port)} ({error}): change --host or {flag}", _PORT_EXIT)
    return CannotStart(
        f"{address(host, port)} is in use: stop what listens there (`lsof -i :{port}` names it), or choose another "
        f"port with {flag}",
        _PORT_EXIT,
    )


def _bind(host: str, port: int, flag: str) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was served a moment ago is free
        bound.bind(where)
    except OSError as error:
        raise refusal(host, port, flag, error) from error
    return bound
