"""Labels that are no labels end either process before it opens anything."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import PYTHON, ROOT


@pytest.mark.parametrize("process", ["proxy", "backend"])
def test_labels_that_are_no_labels_are_one_line(process: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('{"cat": 1}')
    environment = {**os.environ, "LABELS": str(tmp_path / "labels.json"), "PORT": "0"}
    command = [PYTHON, "-m", process]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"{process}: {tmp_path / 'labels.json'} must hold one JSON array of strings")
