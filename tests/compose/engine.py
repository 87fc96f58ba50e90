"""The Docker Engine of these tests: the one that is running, or one started by a script beside the repository."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Final

from harness.models import SHARED

DOCKER: Final = shlex.split(os.environ.get("DOCKER", "docker"))
SCRIPTS: Final = SHARED / "docker"
"""Scripts that start an engine, and create the base images where no image registry can be reached."""
BASE_IMAGES: Final = (
    os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm"),
    os.environ.get("REDIS_IMAGE", "redis:7.4-bookworm"),
)


class NoEngine(Exception):
    """There is no engine, or it lacks the base images. The message has the reason."""


def start() -> None:
    """Start the engine if it is not running, and get the base images. Raises NoEngine."""
    if not succeeds("version"):
        _run(SCRIPTS / "start-engine", "the Docker Engine does not respond")
    missing = [image for image in BASE_IMAGES if not is_available(image)]
    if missing:
        _run(SCRIPTS / "base-images", f"can't pull {' or '.join(missing)}")


def is_available(image: str) -> bool:
    """Return whether the engine has the image or can pull it."""
    return succeeds("image", "inspect", image) or succeeds("pull", "--quiet", image)


def docker(*args: str, timeout: float = 120) -> str:
    """Return the output of the command. Fails with its standard error."""
    process = subprocess.run([*DOCKER, *args], capture_output=True, text=True, check=False, timeout=timeout)
    assert process.returncode == 0, f"docker {' '.join(args)}: {process.stderr}"
    return process.stdout.strip()


def succeeds(*args: str) -> bool:
    try:
        return subprocess.run([*DOCKER, *args], capture_output=True, check=False, timeout=600).returncode == 0
    except FileNotFoundError:
        return False


def _run(script: Path, problem: str) -> None:
    if not script.exists():
        raise NoEngine(problem)
    process = subprocess.run([str(script)], capture_output=True, text=True, check=False, timeout=600)
    if process.returncode:
        output = (process.stderr or process.stdout).strip().splitlines() or ["no output"]
        raise NoEngine(f"{problem}, and {script.name} failed: {output[-1]}")
