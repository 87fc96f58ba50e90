import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from deploy import audit
from harness.process import free_port

SAFE: Final = {"name": "redis", "version": "7.1.0", "vulns": []}
UNKNOWN: Final = {"name": "anyio", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABLE: Final = {
    "name": "pillow",
    "version": "9.0.0",
    "vulns": [{"id": "PYSEC-2023-227", "fix_versions": ["10.0.0"]}, {"id": "CVE-2024-1", "fix_versions": []}],
}


def fake_pip_audit(monkeypatch: pytest.MonkeyPatch, directory: Path, output: object, error: str = "") -> None:
    program = directory / "pip-audit"
    (directory / "output").write_text(json.dumps({"dependencies": output}) if output else "")
    (directory / "error").write_text(error)
    program.write_text(f"#!/bin/sh\ncat '{directory}/output'\ncat '{directory}/error' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(audit, "program", lambda name: str(directory / name))


def test_each_vulnerability_is_reported_once_with_the_version_that_fixes_it() -> None:
    found, unknown, audited = audit.findings([SAFE, VULNERABLE, VULNERABLE, UNKNOWN])
    assert found == [
        "pillow 9.0.0: CVE-2024-1, fixed in no version",
        "pillow 9.0.0: PYSEC-2023-227, fixed in 10.0.0",
    ]
    assert unknown == ["anyio"]
    assert audited == 2


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ([], "Traceback:\nrequests.exceptions.ProxyError: no route to host\n"),
        ([], "Traceback:\npip_audit._service.interface.ServiceError\n"),
        ([], "ERROR:pip_audit._cli:Tip: your network may be blocking this service.\n"),
        ([UNKNOWN], "No known vulnerabilities found"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_in_a_line_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, output: object, error: str
) -> None:
    fake_pip_audit(monkeypatch, tmp_path, output, error)
    assert audit.vulnerabilities() == []
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(audit.NOT_AUDITED)


def test_pip_audit_cannot_connect_to_a_closed_port_and_this_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    assert audit.vulnerabilities() == []
    assert audit.NOT_AUDITED in capsys.readouterr().out


def test_requirements_that_pip_audit_cannot_read_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").write_text("redis\n")
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    [problem] = audit.vulnerabilities()
    assert problem.startswith("pip-audit failed: ")
    assert "redis" in problem
    assert capsys.readouterr().out == ""


def test_a_vulnerability_is_a_problem_and_what_could_not_be_audited_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake_pip_audit(monkeypatch, tmp_path, [SAFE, VULNERABLE, UNKNOWN])
    assert len(audit.vulnerabilities()) == 2
    output = capsys.readouterr().out
    assert "dependencies audited: 2\n" in output
    assert "NOT AUDITED: anyio\n" in output


def test_a_secret_in_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text('TOKEN = "a plain word"\nKEY = "AKIA' + 'IOSFODNN7ABCDEFG"\n')
    subprocess.run("git init -q && git add settings.py", shell=True, cwd=tmp_path, check=True)
    assert audit.secrets(tmp_path) == ["settings.py:2: looks like a secret (AWS Access Key)"]
