"""`make run` prints its summary when the service is up, also if the service refuses requests without an API key."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.local.settings import LocalSettings
from deploy.local.summary import wait_until_up


@contextmanager
def service(status: int, answer: object) -> Iterator[int]:
    """Yield the port of a service whose models are healthy, with this response to /predict/test."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_health = self.path == "/health/all"
            self.send_response(200 if is_health else status)
            self.end_headers()
            self.wfile.write(json.dumps({"a": "ok", "b": "ok"} if is_health else answer).encode())

        def log_request(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "answer", "is_up"),
    [(200, {"job_id": "1"}, True), (200, {"job_id": None}, False), (401, {}, True), (429, {}, True), (503, {}, False)],
)
def test_the_service_is_up_when_it_queues_jobs_or_needs_a_key(status: int, answer: object, is_up: bool) -> None:
    with service(status, answer) as port:
        timeout = timedelta(seconds=60 if is_up else 0.5)
        assert wait_until_up(LocalSettings(port=port), timeout) is is_up
