"""Settings that have been renamed, and names that are refused."""

import os
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.process import PYTHON, ROOT
from proxy.settings import Settings


@pytest.mark.slow
def test_a_renamed_setting_is_a_warning_that_gives_the_new_name(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{}")  # ends the process before it serves
    environment = {**os.environ, "QUEUE_REST": "2", "LABELS": str(tmp_path / "labels.json")}
    process = subprocess.run(
        [PYTHON, "-m", "proxy"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    [line] = process.stdout.splitlines()
    assert line.endswith('level=warning event="setting renamed" ignored=QUEUE_REST use=QUEUE_COOLDOWN')


def test_the_fast_model_cannot_have_the_name_of_another_key_of_the_answer() -> None:
    with pytest.raises(ValidationError, match="serve it under another name"):
        Settings(fast_model="job_id")
