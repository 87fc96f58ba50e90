"""All log lines have one format, including those of libraries and those that contain text from a client."""

import json
import logging
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest
import structlog

import service_log
from harness.process import PYTHON, ROOT

BIDI_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Undo `configure` after each test."""
    root = logging.getLogger()
    handlers, root_level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    service_log.get_logger.cache_clear()
    root.handlers[:], root.level = handlers, root_level


@pytest.mark.parametrize("fmt", ["logfmt", "json"])
@pytest.mark.parametrize(
    "path",
    [
        "/job/\x1b[2J\r\x9b1m\n\tat=now process=forged",
        "/\u2028forged\u2029\x85",
        *(f"/{mark}forged" for mark in BIDI_MARKS),
    ],
)
def test_a_logged_value_cannot_control_the_terminal_start_a_new_line_or_reorder_text(
    path: str, fmt: service_log.Format, capsys: pytest.CaptureFixture[str]
) -> None:
    service_log.configure("proxy", fmt=fmt)
    service_log.get_logger().info("request refused", path=path)
    [line] = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert "forged" in line


def test_each_json_line_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy", fmt="json")
    service_log.get_logger().info("job accepted", job="5b1c", label="Persian cat")
    line = json.loads(capsys.readouterr().out)
    fields = (line["process"], line["event"], line["job"], line["label"])
    assert fields == ("proxy", "job accepted", "5b1c", "Persian cat")


def test_messages_of_libraries_have_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy")
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in %s", "ASGI")
    logging.getLogger("library").info("below the level that is logged")
    [line] = capsys.readouterr().out.splitlines()
    assert 'process=proxy level=error event="library message" logger=uvicorn.error error="Exception in ASGI"' in line
    assert "ValueError: broken\\nin two" in line


def test_a_custom_level_of_a_library_is_rounded_down(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy")
    logging.getLogger("library").log(logging.WARNING + 5, "notice")
    assert "level=warning" in capsys.readouterr().out


def test_a_line_is_one_write_so_that_lines_of_several_processes_do_not_mix() -> None:
    program = "import service_log as log; log.configure('proxy', fmt='json'); log.get_logger().info('job accepted')"
    reader, writer = socket.socketpair(type=socket.SOCK_SEQPACKET)  # keeps the boundaries of writes
    with reader, writer:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        subprocess.run([PYTHON, "-c", program], cwd=ROOT, env=environment, stdout=writer.fileno(), check=True)
        line = reader.recv(10_000)
    assert line.endswith(b"}\n")
