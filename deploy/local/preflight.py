"""Checks what the virtual environment needs. Standard library only: the environment does not exist yet."""

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.local.system_packages import can_install, install

MIN_PYTHON: Final = (3, 11)
REQUIRED_BYTES: Final = 2_800_000_000
"""Measured: the virtual environment takes 2.1 GB, most of it TensorFlow, and pip unpacks wheels next to it."""


def fail(reason: str) -> None:
    sys.exit(f"make: {reason}")


def check_python() -> None:
    if sys.version_info < MIN_PYTHON:
        fail(f"Python 3.11 or newer is required, this is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11 ...")


def check_disk(directory: Path, required: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < required:
        fail(
            f"{directory} needs {required / 1e9:.1f} GB of free disk space and has {free / 1e9:.1f} GB: free some space"
        )


def ensure_venv() -> None:
    """Install Debian's package for `python -m venv` if it is missing, or fail with the command that installs it."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if not can_install():
        fail(f"this Python can't create virtual environments: sudo apt-get install {package}")
    install(package)


def main() -> None:
    check_python()
    try:
        check_disk(Path.cwd(), REQUIRED_BYTES)
        ensure_venv()
    except subprocess.CalledProcessError as error:
        fail(f"{' '.join(error.cmd)} failed: run it by hand to see why")
    except OSError as error:
        fail(f"{os.strerror(error.errno or errno.EIO)}: {error.filename}")


if __name__ == "__main__":
    main()
