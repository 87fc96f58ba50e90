"""REST's HTTP server: uvicorn, in a thread and on an event loop of its own."""

import socket
import threading

import uvicorn
from starlette.types import ASGIApp


class RestServer:
    def __init__(self, app: ASGIApp, claimed: socket.socket, grace: int) -> None:
        """`claimed` is bound and not listening; `grace` is how many seconds `drain` gives to what is under way."""
        self._socket = claimed
        self._grace = grace
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=grace,
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, args=([claimed],), name="rest", daemon=True)

    def start(self) -> None:
        """Raises OSError if the port can't be listened on."""
        self._socket.listen(self._uvicorn.config.backlog)
        self._thread.start()

    def drain(self) -> None:
        """Take no new connection, let running requests end, and return when they have."""
        self._uvicorn.should_exit = True
        self._thread.join(self._grace + 1)
