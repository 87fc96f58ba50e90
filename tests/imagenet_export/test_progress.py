"""What an export says while it works."""

import io
import re

import pytest
from rich.console import Console

from imagenet_export.progress import Progress


def said(*, terminal: bool) -> str:
    out = io.StringIO()
    progress = Progress("model", Console(file=out, force_terminal=terminal, width=40))
    with progress.step("fusing [all] of it, which takes more than one line of this console"):
        progress.say("halfway")
    return out.getvalue()


def test_elsewhere_than_on_a_terminal_each_step_is_one_plain_line() -> None:
    assert said(terminal=False).splitlines() == [
        "model: fusing [all] of it, which takes more than one line of this console",
        "model: halfway",
    ]


def test_on_a_terminal_a_step_ends_with_its_time() -> None:
    assert re.search(r"of this console \(\d+\.\d s\)", said(terminal=True))


def test_a_step_that_fails_does_not_say_it_is_done() -> None:
    out = io.StringIO()
    progress = Progress("model", Console(file=out, force_terminal=True, width=40))
    with pytest.raises(RuntimeError), progress.step("freezing"):
        raise RuntimeError
    assert "s)" not in out.getvalue()
