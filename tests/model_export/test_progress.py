"""The output of an export."""

import io
import re

import pytest
from rich.console import Console

from model_export.progress import Progress


def output_of_a_step(*, terminal: bool) -> str:
    out = io.StringIO()
    progress = Progress("model", Console(file=out, force_terminal=terminal, width=40))
    with progress.step("fusing [all] of it, which takes more than one line of this console"):
        progress.print("halfway")
    return out.getvalue()


def test_without_a_terminal_each_step_is_one_plain_line() -> None:
    assert output_of_a_step(terminal=False).splitlines() == [
        "model: fusing [all] of it, which takes more than one line of this console",
        "model: halfway",
    ]


def test_on_a_terminal_a_finished_step_shows_its_duration() -> None:
    assert re.search(r"of this console \(\d+\.\d s\)", output_of_a_step(terminal=True))


def test_a_failed_step_shows_no_duration() -> None:
    out = io.StringIO()
    progress = Progress("model", Console(file=out, force_terminal=True, width=40))
    with pytest.raises(RuntimeError), progress.step("freezing"):
        raise RuntimeError
    assert "s)" not in out.getvalue()
