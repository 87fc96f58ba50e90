"""Docker clients made for a test: small programs that answer what they are told to."""

from collections.abc import Mapping
from pathlib import Path


def client(folder: Path, answers: Mapping[str, tuple[int, str]]) -> str:
    """Write one and return its path. It answers words that begin so with an exit status and a line, others with 0."""
    cases = "".join(f'"{words}"*) echo "{line}"; exit {status} ;;\n' for words, (status, line) in answers.items())
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}esac\n', "utf-8")
    program.chmod(0o755)
    return str(program)
