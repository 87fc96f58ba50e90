"""`make run` prints its summary when the service is up, also if the service refuses requests without an API key."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from deploy.local.settings import LocalSettings
from deploy.local.summary import summary, wait_until_up, warning
from service_settings import ROOT


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


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, "-F image=@data/cat.jpg"),
        ({"input": "text"}, "-H 'Content-Type: text/plain' -d 'a text'"),
        (
            {"input": "bytes", "test_input": ROOT / "data" / "cat.jpg"},
            f"-H 'Content-Type: application/octet-stream' --data-binary @{ROOT}/data/cat.jpg",
        ),
    ],
)
def test_the_summary_shows_a_request_of_the_configured_input(settings: Mapping[str, Any], options: str) -> None:
    assert f"curl {options} localhost:8000/predict" in summary(LocalSettings(**settings), timedelta())


@pytest.mark.parametrize(("model", "remedy"), [("inception_v3", "make models"), ("my_model", "python -m model_export")])
def test_the_warning_of_untrained_weights_names_the_command_that_exports_the_model(model: str, remedy: str) -> None:
    commands = [command for command in ("make models", "python -m model_export") if command in warning(model)]
    assert commands == [remedy]
