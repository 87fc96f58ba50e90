"""Installs the Debian packages that tests and benchmarks need: `python -m deploy.local.system_packages`.

Prints the packages that it can't install. Standard library only: it runs before anything else is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

PURPOSES: Final = {
    "curl": "to run the commands of README.md",
    "faketime": "to change a worker's clock",
    "git": "to check out an earlier commit",
    "wrk": "to generate load",
}
"""Each package has a program of the same name."""


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> None:
    """Raises CalledProcessError."""
    print(f"make: installing {', '.join(packages)}", flush=True)
    for args in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *args], check=True, stdout=subprocess.DEVNULL)  # noqa: S607 (found on the PATH)


def main() -> None:
    missing = [package for package in PURPOSES if not shutil.which(package)]
    if missing and can_install():
        try:
            install(*missing)
        except subprocess.CalledProcessError as error:
            print(f"make: {' '.join(error.cmd)} failed", file=sys.stderr)
        missing = [package for package in missing if not shutil.which(package)]
    if missing:
        purposes = ", ".join(f"{package} {PURPOSES[package]}" for package in missing)
        print(f"make: skipping the tests that need {purposes}; to run them: sudo apt-get install {' '.join(missing)}")


if __name__ == "__main__":
    main()
