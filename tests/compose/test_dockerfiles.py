"""What a Dockerfile decides by itself. No engine needed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.processes import ROOT
from tests.compose.programs import program


def export_step(model: str) -> str:
    """The shell command of the build step that exports `model`."""
    dockerfile = (ROOT / f"imagenet_{model}" / "Dockerfile").read_text("utf-8").replace("\\\n", "")
    [command] = re.findall(r"^RUN (.*\.export .*)$", dockerfile, re.M)
    return str(command)


@pytest.mark.parametrize("model", ["mobilenet_v2", "inception_v3"])
@pytest.mark.parametrize(
    ("weights", "expected"),
    [("untrained", ["--allow-untrained"]), ("imagenet", []), ("", [])],
)
def test_untrained_weights_go_into_an_image_only_where_they_were_asked_for_by_name(
    tmp_path: Path, model: str, weights: str, expected: list[str]
) -> None:
    program(tmp_path / "python", 'echo "$@"')
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WEIGHTS": weights}
    said = subprocess.run(["sh", "-c", export_step(model)], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["-m", f"imagenet_{model}.export", "--models-dir", "/models", *expected]
