"""docs/your-own-models.md: its commands run in order, as printed, and publish the models that it promises."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from harness.process import PYTHON, ROOT

WALK: Final = (ROOT / "docs" / "your-own-models.md").read_text("utf-8")
BLOCKS: Final[list[tuple[str, str]]] = re.findall(r"^```(sh|python)\n(.*?)^```$", WALK, re.S | re.M)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_every_command_of_the_walk_runs_and_publishes_a_version(tmp_path: Path) -> None:
    own, models = tmp_path / "own", tmp_path / "models"
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, **proxy, "MODELS_DIR": str(models), "KERAS_HOME": str(tmp_path)}
    environment |= {"IMAGENET_WEIGHTS_DIR": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
    for language, code in BLOCKS:
        if "pip install" in code:
            continue  # the tests' environment has them
        here = code.replace("var/own", str(own)).replace(".venv/bin/python", PYTHON)
        command = ["bash", "-euc", here] if language == "sh" else [PYTHON, "-c", here]
        process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stdout + process.stderr
        if "model_export" in code:
            assert "the largest difference of a score from the source's is" in process.stdout
    names = re.findall(r"--name (\w+)", "".join(code for _, code in BLOCKS))
    assert len(names) == 7
    assert {path.name for path in models.iterdir()} == set(names)
    assert all((models / name / "1").is_dir() for name in names)
