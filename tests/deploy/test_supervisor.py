"""What supervises the processes of `make run`."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from deploy.local.services import Service, supervisord_config
from deploy.local.supervisor import say
from harness.process import PYTHON, ROOT


def supervised(directory: Path, *command: str, stdout: int) -> subprocess.Popen[bytes]:
    config = directory / "supervisord.conf"
    config.write_text(supervisord_config([Service("only", command, once=True)]), "utf-8")
    options = ["-c", str(config), "-l", str(directory / "log"), "-j", str(directory / "pid"), "-q", str(directory)]
    return subprocess.Popen([PYTHON, "-m", "deploy.local.supervisor", *options], cwd=ROOT, stdout=stdout)


def test_what_a_process_says_reaches_a_socket_and_a_closed_terminal_ends_it(tmp_path: Path) -> None:
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as said:
        process = supervised(tmp_path, "sh", "-c", "echo $$; exec sleep 1000", stdout=there.fileno())
        there.close()
        child = int(said.readline())
        process.send_signal(signal.SIGHUP)
        assert said.read() == b""
        assert process.wait(20) == 0
        assert not Path(f"/proc/{child}").exists()


def test_a_reader_that_left_is_no_reason_to_stop() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    say(b"nobody hears this", writing)
    os.close(writing)


NASTY = """my 100% "#1" ;folder #2 %(here)s \\ 'ends"""


def test_a_folder_may_be_called_whatever_it_likes(tmp_path: Path) -> None:
    directory = tmp_path / NASTY
    directory.mkdir()
    reading, writing = os.pipe()
    process = supervised(directory, "printf", "%s\n", str(directory), stdout=writing)
    os.close(writing)
    with open(reading, "rb") as said:
        assert said.readline().decode() == f"{directory}\n"
        process.terminate()
        assert process.wait(20) == 0
    assert {path.name for path in directory.iterdir()} >= {"supervisord.conf", "log"}
