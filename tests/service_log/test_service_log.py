"""The one log line: one shape, whoever says it and whatever a client put into it."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

import service_log


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root, quiet = logging.getLogger(), logging.getLogger("python_multipart")
    handlers, level, quiet_level = root.handlers[:], root.level, quiet.level
    yield
    structlog.reset_defaults()
    service_log.get_logger.cache_clear()
    root.handlers[:], root.level = handlers, level
    quiet.setLevel(quiet_level)


@pytest.mark.parametrize("fmt", ["logfmt", "json"])
def test_nothing_in_a_line_can_move_a_terminal_or_start_another_line(
    fmt: service_log.Format, capsys: pytest.CaptureFixture[str]
) -> None:
    service_log.configure("proxy", fmt=fmt)
    service_log.get_logger().info("request refused", path="/job/\x1b[2J\r\x9b1m\n\tat=now process=forged")
    [line] = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert "forged" in line


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy", fmt="json")
    service_log.get_logger().info("job accepted", job="5b1c", label="Persian cat")
    said = json.loads(capsys.readouterr().out)
    assert (said["process"], said["event"], said["job"], said["label"]) == (
        "proxy",
        "job accepted",
        "5b1c",
        "Persian cat",
    )


def test_what_a_library_says_is_a_line_of_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy")
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in %s", "ASGI")
    logging.getLogger("somebody").info("that all is well")
    [line] = capsys.readouterr().out.splitlines()
    assert 'process=proxy level=error event="library message" logger=uvicorn.error error="Exception in ASGI"' in line
    assert "ValueError: broken\\nin two" in line


def test_a_level_of_a_library_s_own_is_the_one_below(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy")
    logging.getLogger("somebody").log(logging.WARNING + 5, "notice")
    assert "level=warning" in capsys.readouterr().out


def test_what_a_client_did_to_a_form_is_not_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    service_log.configure("proxy")
    logging.getLogger("python_multipart.multipart").warning("Did not find boundary character 45 at index 2")
    assert capsys.readouterr() == ("", "")
