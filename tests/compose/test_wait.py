"""`make c_up` waits until everything is ready, and otherwise says what is not. Needs no engine."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.docker import wait
from harness.process import free_port


@contextmanager
def proxy(status: int, body: object) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def test_a_proxy_that_does_not_respond_is_not_ready() -> None:
    assert wait.not_ready(free_port()) == ["proxy"]


@pytest.mark.parametrize("status", [200, 503])
def test_what_is_not_ready_is_named(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "STARTUP_TIMEOUT_S", 0.0)
    states = {"status": status, "fast_model": "ng", "accurate_model": "ok", "queue": "ng"}
    with (
        proxy(status, states) as port,
        pytest.raises(SystemExit, match="waiting for the fast model and the queue: see"),
    ):
        wait.main(port)


def test_the_wait_ends_when_everything_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    with proxy(200, {"fast_model": "ok", "accurate_model": "ok", "queue": "ok"}) as port:
        wait.main(port)
    assert f"running on http://localhost:{port}" in capsys.readouterr().out
