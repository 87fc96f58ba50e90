"""Shell scripts that replace real programs in tests of the Makefile and of the Dockerfiles."""

from collections.abc import Mapping
from pathlib import Path


def fake_program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def fake_docker(folder: Path, results: Mapping[str, tuple[int, str]]) -> str:
    """Return a Docker client that has an exit status and an output for each prefix of its arguments in `results`.

    It succeeds without output if no prefix matches.
    """
    cases = "".join(f'"{args}"*) echo "{output}"; exit {status} ;;\n' for args, (status, output) in results.items())
    return fake_program(folder / "docker", f'case "$*" in\n{cases}esac')
