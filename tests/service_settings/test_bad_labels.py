"""Labels that are no labels end either process before it opens anything."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.process import PYTHON, ROOT


@pytest.mark.parametrize("process", ["proxy", "backend"])
@pytest.mark.parametrize(
    ("labels", "fault"),
    [('{"cat": 1}', "must hold one JSON array of strings"), (r'["cat", "\ud83d"]', "has a name with half a character")],
)
def test_labels_that_are_no_labels_are_one_line(process: str, labels: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(labels)
    environment = {**os.environ, "LABELS": str(tmp_path / "labels.json"), "PORT": "0"}
    command = [PYTHON, "-m", process]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"{process}: {tmp_path / 'labels.json'} {fault}")
