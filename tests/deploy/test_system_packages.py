"""make installs the Debian packages that the tests need, or prints their names."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.local import system_packages


class Machine:
    """A machine whose PATH holds a fake apt-get and the given programs only."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory, self.monkeypatch = directory, monkeypatch
        self.calls = directory / "calls"
        monkeypatch.setenv("PATH", str(directory))

    def add(self, program: str, script: str = "") -> None:
        (self.directory / program).write_text(f"#!/bin/sh\n{script}\n")
        (self.directory / program).chmod(0o755)

    def check(self, *, user: int, programs: Sequence[str], apt_get: str) -> list[str]:
        """Run the check as this user and return the calls of apt-get, which runs the script `apt_get`."""
        for program in programs:
            self.add(program)
        self.add("apt-get", f'echo "$@" >>{self.calls}\n{apt_get}')
        self.monkeypatch.setattr(os, "geteuid", lambda: user)
        system_packages.main()
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_root_installs_what_is_missing(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    install = f"/bin/ln -sf /bin/true {machine.directory}/curl; /bin/ln -sf /bin/true {machine.directory}/wrk"
    calls = machine.check(user=0, programs=["git", "faketime"], apt_get=install)
    assert calls == ["update -qq", "install -y -qq --no-install-recommends curl wrk"]
    assert capsys.readouterr() == ("make: installing curl, wrk\n", "")


def test_for_other_users_make_prints_what_is_missing_and_how_to_install_it(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine.check(user=1000, programs=["git", "faketime", "curl"], apt_get="") == []
    [line] = capsys.readouterr().out.splitlines()
    assert line == "make: skipping the tests that need wrk to generate load; to run them: sudo apt-get install wrk"


def test_a_failed_installation_does_not_stop_make(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.check(user=0, programs=["git", "faketime", "curl"], apt_get="exit 100") == ["update -qq"]
    output = capsys.readouterr()
    assert output.err == "make: apt-get update -qq failed\n"
    assert output.out.endswith("sudo apt-get install wrk\n")


def test_nothing_is_printed_when_nothing_is_missing(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.check(user=0, programs=["git", "faketime", "curl", "wrk"], apt_get="") == []
    assert capsys.readouterr() == ("", "")
