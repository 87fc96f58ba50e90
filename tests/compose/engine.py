"""A Docker Engine for these tests: the one that is up, or one that this workplace knows how to bring up."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Final

from harness.models import SHARED

DOCKER: Final = shlex.split(os.environ.get("DOCKER", "docker"))
WORKPLACE: Final = SHARED / "docker"
"""Scripts that bring up an engine, and base images where no registry can be reached."""
BASE_IMAGES: Final = (
    os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm"),
    os.environ.get("REDIS_IMAGE", "redis:7.4-bookworm"),
)


class NoEngine(Exception):
    """Says why there is none, or why nothing can be built with it."""


def bring_up() -> None:
    """Returns with an engine that has the base images. Raises `NoEngine`."""
    if not answers():
        _run(WORKPLACE / "start-engine", "no Docker Engine answers")
    missing = [image for image in BASE_IMAGES if not can_have(image)]
    if missing:
        _run(WORKPLACE / "base-images", f"no registry has {' or '.join(missing)} for this machine")


def answers() -> bool:
    return succeeds("version")


def can_have(image: str) -> bool:
    """Whether the image is here, now that it was asked for."""
    return succeeds("image", "inspect", image) or succeeds("pull", "--quiet", image)


def docker(*words: str, timeout: float = 120) -> str:
    """What the command prints. Fails with what it says on its standard error."""
    done = subprocess.run([*DOCKER, *words], capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def succeeds(*words: str) -> bool:
    try:
        return subprocess.run([*DOCKER, *words], capture_output=True, check=False, timeout=600).returncode == 0
    except FileNotFoundError:
        return False


def _run(script: Path, why: str) -> None:
    if not script.exists():
        raise NoEngine(why)
    done = subprocess.run([str(script)], capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise NoEngine(f"{why}, and {script.name} says: {said[-1]}")
