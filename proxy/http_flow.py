"""How a connection reads and closes: `BoundedHttpProtocol` hands these to uvicorn in place of its own objects."""

import asyncio
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl


class Connection(Protocol):
    """The part of `BoundedHttpProtocol` that is used here."""

    transport: asyncio.Transport

    def has_room(self) -> bool:
        """Return True if more input may be read into memory."""

    def close_after_response(self) -> None:
        """Close the connection so that the client can read the response."""


class BoundedFlowControl(FlowControl):
    """Resumes reading only if the connection has room for more input."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        if self._connection.has_room() and not self._connection.transport.is_closing():
            super().resume_reading()


class ResponseTransport:
    """What uvicorn writes the response to a request with a body to.

    uvicorn closes the transport after a response with `Connection: close`. If the client is still sending its body, the
    operating system then resets the connection, and the client may lose the response.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.close_after_response()
