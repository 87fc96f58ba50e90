"""All log lines have one format, including those of libraries and those that contain text from a client."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

import service_log


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Undo `configure` after each test."""
    root, form_parser = logging.getLogger(), logging.getLogger("python_multipart")
    handlers, root_level, form_parser_level = root.handlers[:], root.level, form_parser.level
    yield
    structlog.reset_defaults()
    service_log.get_logger.cache_clear()
    root.handlers[:], root.level = handlers, root_level
    form_parser.setLevel(form_parser_level)


@pytest.mark.parametrize("fmt", ["logfmt", "json"])
def test_a_logged_value_cannot_control_the_terminal_or_start_a_new_line(
    fmt: service_log.Format, capsys: pytest.CaptureFixture[str]
) -> None:
    service_log.configure("proxy", fmt=fmt)
    service_log.get_logger().info("request refused", path="/job/\x1b[2J\r\x9b1m\n\tat=now process=forged")
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


def test_a_malformed_form_is_not_logged_as_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy")
    logging.getLogger("python_multipart.multipart").warning("Did not find boundary character 45 at index 2")
    assert capsys.readouterr() == ("", "")
