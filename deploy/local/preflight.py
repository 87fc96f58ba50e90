"""What must be so before anything is installed. Standard library only: there is no virtual environment yet."""

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
VENV_BYTES = 2_800_000_000
"""Measured: the virtual environment of `make test` takes 2.1 GB, TensorFlow most of it; pip unpacks beside it."""


def fail(why: str) -> None:
    sys.exit(f"make: {why}")


def check_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        fail(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11 ...")


def check_disk(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        fail(f"{needed / 1e9:.1f} GB of disk are needed in {directory}, {free / 1e9:.1f} GB are free: make room")


def ensure_venv() -> None:
    """Debian keeps what `python -m venv` needs in a package of its own. Root installs it; others are told to."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        fail(f"this Python can't make virtual environments: sudo apt-get install {package}")
    print(f"installing {package}", flush=True)
    for words in (["update", "-qq"], ["install", "-y", "-qq", package]):
        subprocess.run(["apt-get", *words], check=True)  # noqa: S607 (whichever apt-get the machine has)


def main() -> None:
    check_python()
    try:
        check_disk(Path.cwd(), VENV_BYTES)
        ensure_venv()
    except subprocess.CalledProcessError as error:
        fail(f"{' '.join(error.cmd)} failed: run it by hand to see why")
    except OSError as error:
        fail(f"{os.strerror(error.errno or errno.EIO)}: {error.filename}")


if __name__ == "__main__":
    main()
