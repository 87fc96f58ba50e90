"""What would keep the containers from starting, said before any of them does. Standard library only, any Python 3.8.

`python deploy/docker/preflight.py PORT "DOCKER" "COMPOSE" IMAGE…`
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from typing import NoReturn

PATIENCE_S = 30


def main(port: int, docker: list[str], compose: list[str], images: list[str]) -> None:
    if not _succeeds([*docker, "version"]):
        _refuse("no Docker Engine answers: start Docker, and try again")
    for image in images if os.environ.get("PULL_POLICY", "never") == "never" else []:
        if not _succeeds([*docker, "image", "inspect", image]):
            _refuse(f"there is no image {image}: `make build_all` builds it, with the same settings")
    if _is_taken(port) and not _by_this_stack(port, docker, compose):
        _refuse(f"port {port} is taken: end what uses it, or take another with `make c_up PORT={port + 1}`")


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=PATIENCE_S).returncode == 0


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(PATIENCE_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _by_this_stack(port: int, docker: list[str], compose: list[str]) -> bool:
    publishing = _ids([*docker, "ps", "--no-trunc", "-q", "--filter", f"publish={port}"])
    return bool(publishing & _ids([*compose, "ps", "-q", "proxy"]))


def _ids(command: list[str]) -> set[str]:
    return set(subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S).stdout.split())


def _refuse(why: str) -> NoReturn:
    sys.exit(f"make c_up: {why}")


if __name__ == "__main__":
    main(int(sys.argv[1]), shlex.split(sys.argv[2]), shlex.split(sys.argv[3]), sys.argv[4:])
