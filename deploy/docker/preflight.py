"""Checks that the containers can start: an engine, the images, a free port. Standard library only, Python 3.8 or newer.

Usage: `python deploy/docker/preflight.py PORT "DOCKER" "COMPOSE" IMAGE…`
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from typing import Final, NoReturn

TIMEOUT_S: Final = 30


def main(port: int, docker: list[str], compose: list[str], images: list[str]) -> None:
    if not _succeeds([*docker, "version"]):
        _fail("the Docker Engine does not respond: start Docker and try again")
    for image in images if os.environ.get("PULL_POLICY", "never") == "never" else []:
        if not _succeeds([*docker, "image", "inspect", image]):
            _fail(f"image {image} does not exist: build it with `make build_all` and the same settings")
    if _is_in_use(port) and not _is_published_by_this_stack(port, docker, compose):
        _fail(f"port {port} is in use: stop the process that uses it, or choose another: make c_up PORT={port + 1}")


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S).returncode == 0


def _is_in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(TIMEOUT_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_published_by_this_stack(port: int, docker: list[str], compose: list[str]) -> bool:
    publishing = _ids([*docker, "ps", "--no-trunc", "-q", "--filter", f"publish={port}"])
    return bool(publishing & _ids([*compose, "ps", "-q", "proxy"]))


def _ids(command: list[str]) -> set[str]:
    return set(subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S).stdout.split())


def _fail(reason: str) -> NoReturn:
    sys.exit(f"make c_up: {reason}")


if __name__ == "__main__":
    main(int(sys.argv[1]), shlex.split(sys.argv[2]), shlex.split(sys.argv[3]), sys.argv[4:])
