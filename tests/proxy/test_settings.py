"""Settings that have been renamed."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.process import PYTHON, ROOT


@pytest.mark.slow
def test_a_renamed_setting_is_a_warning_that_gives_the_new_name(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{}")  # ends the process before it serves
    environment = {**os.environ, "QUEUE_REST": "2", "LABELS": str(tmp_path / "labels.json")}
    process = subprocess.run(
        [PYTHON, "-m", "proxy"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    [line] = process.stdout.splitlines()
    assert line.endswith('level=warning event="setting renamed" ignored=QUEUE_REST use=QUEUE_COOLDOWN')
