"""Gives each request an id: in its log lines, its answer's `X-Request-ID` and its problem details' `trace_id`."""

import re
import secrets
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCEPTABLE: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""A client's own id is kept where it can do no harm in a log line."""


class RequestId:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if ACCEPTABLE.fullmatch(given) else secrets.token_hex(8).encode()
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id.decode()):
            await self._app(scope, receive, send_with_id)
