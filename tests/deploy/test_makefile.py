"""What the Makefile leaves behind where a step of its installation fails, and what it installs."""

import os
import subprocess
from pathlib import Path

from harness.process import ROOT


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *words], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_virtual_environment_that_was_not_finished_is_not_taken_for_one(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    half = f'[ "$2" = venv ] || exit 0\nmkdir -p {venv}/bin {venv}/lib\ntouch {venv}/bin/python\nexit 1'
    python = script(tmp_path / "python", half)
    made = make(f"{venv}/bin/python", f"VENV={venv}", f"PYTHON={python}")
    assert made.returncode != 0
    assert f"creating {venv}" in made.stdout
    assert not venv.exists()


def test_a_redis_that_is_too_old_is_no_reason_not_to_install_one(tmp_path: Path) -> None:
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
