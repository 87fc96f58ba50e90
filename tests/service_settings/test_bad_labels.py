"""Both processes exit with one line if the labels file is invalid, before they open any connection."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.process import PYTHON, ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("process", ["proxy", "backend"])
@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ('{"cat": 1}', "must hold one JSON array of strings"),
        (r'["cat", "\ud83d"]', "has a name with half a surrogate pair"),
    ],
)
def test_an_invalid_labels_file_is_named_in_one_line(process: str, labels: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(labels)
    environment = {**os.environ, "LABELS": str(tmp_path / "labels.json"), "PORT": "0"}
    command = [PYTHON, "-m", process]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith(f"{process}: {tmp_path / 'labels.json'} {problem}")
