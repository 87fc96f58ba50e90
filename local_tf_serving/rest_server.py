"""Runs the REST API in uvicorn, in its own thread and event loop."""

import socket
import threading
from datetime import timedelta

import uvicorn
from starlette.types import ASGIApp


class RestServer:
    def __init__(self, app: ASGIApp, rest_socket: socket.socket, drain_timeout: timedelta) -> None:
        """`rest_socket` is bound but does not listen yet."""
        self._socket = rest_socket
        self._drain_timeout = drain_timeout
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(drain_timeout.total_seconds()),
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, args=([rest_socket],), name="rest", daemon=True)

    def start(self) -> None:
        """Raises OSError if listening on the port fails."""
        self._socket.listen(self._uvicorn.config.backlog)
        self._thread.start()

    def drain(self) -> None:
        """Refuse new connections, and return when the running requests have ended or the drain timeout has passed."""
        self._uvicorn.should_exit = True
        self._thread.join(self._drain_timeout.total_seconds() + 1)
