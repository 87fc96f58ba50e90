"""`make run` as a person runs it: from one command to answers, and no process left behind."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from redis import Redis

from deploy.local.__main__ import hold
from harness.process import PYTHON, ROOT, free_port
from harness.waiting import wait_until


class Run:
    def __init__(self, directory: Path, models: Path, **settings: str) -> None:
        self.port = free_port()
        self.output = directory / "output"
        environment = {"PORT": str(self.port), "MODELS_DIR": str(models), "DATA_DIR": str(directory / "my #1 ;data")}
        self.environment: Mapping[str, str] = {**os.environ, **environment, **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["make", "run"], cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    async def until_it_says(self, words: str) -> None:
        await wait_until(lambda: words in self.said(), within=100)

    def said(self) -> str:
        return self.output.read_text("utf-8")

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=10)

    def family(self) -> list[int]:
        """The processes that it started, whatever became of their parents: its session, and the supervised groups."""
        assert self.process
        mark = f"PORT={self.port}".encode()
        return [
            int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _read(path).split(b"\0")
        ]

    def end(self, number: signal.Signals) -> int:
        """As a terminal does it: the signal goes to make and to what make runs in the foreground."""
        assert self.process
        os.killpg(self.process.pid, number)
        return self.process.wait(60)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def run(tmp_path: Path, models_dir: Path) -> Iterator[Run]:
    run = Run(tmp_path, models_dir, REDIS_MAXMEMORY="64mb")
    yield run
    if run.process and run.process.poll() is None:
        run.end(signal.SIGTERM)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "a closed terminal"]
)
async def test_it_serves_ends_whole_and_goes_on_where_it_was(run: Run, number: signal.Signals) -> None:
    run.start()
    await run.until_it_says("Try, in another shell")
    assert run.get("/health/all").json() == {"mobilenet_v2": "ok", "inception_v3": "ok"}
    job_id = run.get("/predict/test").json()["job_id"]
    refined = await wait_until(lambda: run.get(f"/job/{job_id}").json()[job_id]["prediction"])
    assert len(run.family()) >= 6
    with Redis(port=int(re.findall(r"redis-cli -p (\d+)", run.said())[-1])) as redis:
        assert redis.config_get("maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}

    run.end(number)
    assert run.family() == []

    run.start()
    await run.until_it_says("Try, in another shell")
    assert run.get(f"/job/{job_id}").json() == {job_id: {"prediction": refined}}
    run.end(number)
    assert run.family() == []


@pytest.mark.timeout(200)
async def test_untrained_weights_are_announced_where_nobody_can_miss_it(run: Run) -> None:
    run.start()
    await run.until_it_says("Try, in another shell")
    record = max((Path(run.environment["MODELS_DIR"]) / "inception_v3").glob("[0-9]*"), key=lambda p: int(p.name))
    untrained = '"untrained"' in (record / "assets.extra" / "export.json").read_text("utf-8")
    await wait_until(lambda: ("UNTRAINED WEIGHTS: inception_v3" in run.said()) == untrained)


@pytest.mark.timeout(200)
async def test_a_worker_that_is_killed_is_started_again(run: Run) -> None:
    run.start()
    await run.until_it_says("Try, in another shell")

    def workers() -> list[int]:
        return [pid for pid in run.family() if b"-m\0backend\0" in _read(Path(f"/proc/{pid}/cmdline"))]

    [worker] = workers()
    os.kill(worker, signal.SIGKILL)
    await wait_until(lambda: workers() and workers() != [worker])
    job_id = run.get("/predict/test").json()["job_id"]
    assert await wait_until(lambda: run.get(f"/job/{job_id}").json()[job_id]["prediction"])


def said_by_a_run_that_can_t_start(directory: Path, models: Path, **settings: str) -> str:
    run = Run(directory, models, **settings)
    ended = subprocess.run(
        ["make", "run"], cwd=ROOT, env=run.environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_port_in_use_is_one_line_that_says_what_to_do(tmp_path: Path, models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"make run: port {port} is in use: end what uses it, or choose another: make run PORT=" in (
            said_by_a_run_that_can_t_start(tmp_path, models_dir, PORT=port)
        )


def test_a_folder_that_can_t_be_written_is_one_line_that_says_what_to_do(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "file").touch()
    said = said_by_a_run_that_can_t_start(tmp_path, models_dir, DATA_DIR=str(tmp_path / "file" / "data"))
    assert "set DATA_DIR to a folder of yours" in said


def test_a_setting_that_makes_no_sense_is_one_line_that_names_it(tmp_path: Path, models_dir: Path) -> None:
    assert "make run: PORT=eighty" in said_by_a_run_that_can_t_start(tmp_path, models_dir, PORT="eighty")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"FAST_MODEL": "resnet"}, "make run: FAST_MODEL=resnet: "),
        ({"ACCURATE_MODEL": "mobilenet_v2"}, "make run: FAST_MODEL=mobilenet_v2: "),
        ({"REDIS_MAXMEMORY": "much"}, "make run: REDIS_MAXMEMORY=much: "),
    ],
)
def test_models_and_sizes_that_can_t_be_are_one_line_each(
    settings: dict[str, str], line: str, tmp_path: Path, models_dir: Path
) -> None:
    said = said_by_a_run_that_can_t_start(tmp_path, models_dir, **settings)
    assert [words.startswith(line) for words in said.splitlines()] == [True, False]  # the other line is make's own


def test_a_second_run_on_the_same_folder_is_one_line_that_says_what_to_do(tmp_path: Path, models_dir: Path) -> None:
    hold(tmp_path / "data")
    said = said_by_a_run_that_can_t_start(tmp_path, models_dir, DATA_DIR=str(tmp_path / "data"))
    assert f"make run: another make run uses {tmp_path / 'data'}: end it, or set DATA_DIR to another folder" in said
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["lock"]


def test_a_redis_that_is_missing_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    program = """
import importlib.util, shutil
shutil.which = lambda name: None
find_spec = importlib.util.find_spec
import deploy.local.redis_server as redis_server
redis_server.find_spec = lambda name: None
import deploy.local.__main__ as run
run.main()
"""
    ended = subprocess.run(
        [PYTHON, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PORT": str(free_port()), "DATA_DIR": str(tmp_path)},
    )
    assert ended.returncode != 0
    assert ended.stderr.strip() == "make run: there is no redis-server 6.2 or newer: apt-get install redis-server"
