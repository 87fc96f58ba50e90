"""Responds to HEAD wherever GET is served (RFC 9110, 9.3.2). The HTTP server omits the body."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadRequests:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # a copy: the HTTP server reads the original
        await self._app(scope, receive, send)
