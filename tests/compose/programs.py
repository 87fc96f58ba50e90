"""Small programs that stand in for real ones, and answer what a test tells them to."""

from collections.abc import Mapping
from pathlib import Path


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def docker_client(folder: Path, answers: Mapping[str, tuple[int, str]]) -> str:
    """It answers words that begin so with an exit status and a line, and all others with success."""
    cases = "".join(f'"{words}"*) echo "{line}"; exit {status} ;;\n' for words, (status, line) in answers.items())
    return program(folder / "docker", f'case "$*" in\n{cases}esac')
