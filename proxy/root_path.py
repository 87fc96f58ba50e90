"""Serves the endpoints below a path prefix, as a reverse proxy publishes them."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """Puts the prefix into the scope as ASGI has it: in `root_path`, and at the beginning of `path`.

    Reverse proxies may remove the prefix or pass it on. Health checks, which reach this process directly, lack it too.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            has_prefix = path == self._prefix or path.startswith(f"{self._prefix}/")
            scope = {**scope, "root_path": self._prefix, "path": path if has_prefix else self._prefix + path}
        await self._app(scope, receive, send)
