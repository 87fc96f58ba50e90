"""The Dockerfiles of the models. Needs no engine."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from harness.process import ROOT
from tests.compose.fake_programs import fake_program

MODELS: Final = ("mobilenet_v2", "inception_v3")


def dockerfile(model: str) -> str:
    return (ROOT / f"imagenet_{model}" / "Dockerfile").read_text("utf-8")


def export_step(model: str) -> str:
    """Return the shell command of the build step that exports `model`."""
    [command] = re.findall(r"^RUN (.*\.export.*)$", dockerfile(model).replace("\\\n", ""), re.M)
    return str(command)


def test_the_dockerfiles_of_the_models_differ_only_in_the_name_of_the_model() -> None:
    assert len({dockerfile(model).replace(f"ARG MODEL={model}\n", "ARG MODEL\n") for model in MODELS}) == 1


def test_the_dockerfile_of_other_models_serves_them_in_the_same_way() -> None:
    own = (ROOT / "deploy" / "docker" / "Dockerfile.model").read_text("utf-8")
    for instruction in ("ENTRYPOINT", "HEALTHCHECK", "USER", "STOPSIGNAL", "EXPOSE", "ENV MODEL_NAME"):
        pattern = re.compile(rf"^{instruction}[^\n]*(?:\n +[^\n]*)*", re.M)
        assert pattern.findall(own) == pattern.findall(dockerfile(MODELS[0])), instruction


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("weights", "expected"),
    [("untrained", ["--allow-untrained"]), ("imagenet", []), ("", [])],
)
def test_untrained_weights_must_be_allowed_explicitly(
    tmp_path: Path, model: str, weights: str, expected: list[str]
) -> None:
    fake_program(tmp_path / "python", 'echo "$@"')
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MODEL": model, "WEIGHTS": weights}
    process = subprocess.run(
        ["sh", "-c", export_step(model)], env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == ["-m", f"imagenet_{model}.export", "--models-dir", "/models", *expected]
