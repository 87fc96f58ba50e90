"""The Makefile's installation steps."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.process import ROOT


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def make(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *args], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_half_created_virtual_environment_is_removed(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    create_half = f'[ "$2" = venv ] || exit 0\nmkdir -p {venv}/bin {venv}/lib\ntouch {venv}/bin/python\nexit 1'
    python = script(tmp_path / "python", create_half)
    process = make(f"{venv}/bin/python", f"VENV={venv}", f"PYTHON={python}")
    assert process.returncode != 0
    assert f"creating {venv}" in process.stdout
    assert not venv.exists()


@pytest.mark.slow
def test_redis_is_installed_unless_the_machine_has_a_recent_one(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    installed = tmp_path / "installed"
    script(tmp_path / "bin" / "redis-server", "echo Redis server v=6.0.16 sha=00000000:0")
    script(venv / "bin" / "python", f'case "$2" in pip) echo "$@" >>{installed};; *) exec python3 -S "$@";; esac')
    make(f"{venv}/.extras", f"VENV={venv}", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert "requirements/redis-server.txt" in installed.read_text()
    installed.unlink()
    script(tmp_path / "bin" / "redis-server", "echo Redis server v=7.0.15 sha=00000000:0")
    make(f"{venv}/.extras", f"VENV={venv}", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert "requirements/redis-server.txt" not in installed.read_text()


def test_where_the_fuzzer_cannot_be_installed_make_fuzz_fails_and_says_where_it_can(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    script(venv / "bin" / "python", "echo 'No matching distribution found for atheris' >&2; exit 1")
    for installed in (".dev", ".run"):
        (venv / installed).touch()
    process = make("fuzz", f"VENV={venv}")
    assert process.returncode != 0
    assert "cannot be installed: it exists for Linux on x86-64 with Python 3.11, 3.12 and 3.13" in process.stdout
    assert not (venv / ".fuzz").exists()
