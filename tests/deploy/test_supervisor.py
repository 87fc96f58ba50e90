"""The supervisor of `make run`."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final

import pytest

from deploy.local.services import Service, supervisord_config
from deploy.local.supervisor import write_all
from harness.process import PYTHON, ROOT

HOSTILE_NAME: Final = """my 100% "#1" ;folder #2 %(here)s \\ 'ends"""


def supervise(directory: Path, *command: str, stdout: int) -> subprocess.Popen[bytes]:
    config = directory / "supervisord.conf"
    config.write_text(supervisord_config([Service("only", command, is_one_shot=True)]), "utf-8")
    options = ["-c", str(config), "-l", str(directory / "log"), "-j", str(directory / "pid"), "-q", str(directory)]
    return subprocess.Popen([PYTHON, "-m", "deploy.local.supervisor", *options], cwd=ROOT, stdout=stdout)


@pytest.mark.slow
def test_output_can_go_to_a_socket_and_sighup_stops_all_processes(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as output:
        supervisor = supervise(tmp_path, "sh", "-c", "echo $$; exec sleep 1000", stdout=theirs.fileno())
        theirs.close()
        child = int(output.readline())
        supervisor.send_signal(signal.SIGHUP)
        assert output.read() == b""
        assert supervisor.wait(20) == 0
        assert not Path(f"/proc/{child}").exists()


def test_output_is_dropped_when_it_has_no_reader() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    write_all(b"unread", writer)
    os.close(writer)


@pytest.mark.slow
def test_paths_may_contain_any_character(tmp_path: Path) -> None:
    directory = tmp_path / HOSTILE_NAME
    directory.mkdir()
    reader, writer = os.pipe()
    supervisor = supervise(directory, "printf", "%s\n", str(directory), stdout=writer)
    os.close(writer)
    with open(reader, "rb") as output:
        assert output.readline().decode() == f"{directory}\n"
        supervisor.terminate()
        assert supervisor.wait(20) == 0
    assert {path.name for path in directory.iterdir()} >= {"supervisord.conf", "log"}
