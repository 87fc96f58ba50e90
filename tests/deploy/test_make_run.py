"""`make run` from the command line: it serves requests, and leaves no process behind."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx
import pytest
from redis import Redis

from deploy.local.__main__ import lock
from deploy.newest_version import newest_version
from harness.process import PYTHON, ROOT, free_port
from harness.waiting import wait_until

READY: Final = "Try it in another shell"


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

    async def wait_until_printed(self, text: str) -> None:
        await wait_until(lambda: text in self.printed(), within=100)

    def printed(self) -> str:
        return self.output.read_text("utf-8")

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=10)

    def pids(self) -> list[int]:
        """Return the ids of all its processes, which inherit its PORT. Their parents may have ended."""
        port = f"PORT={self.port}".encode()
        return [
            int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if port in _read(path).split(b"\0")
        ]

    def stop(self, number: signal.Signals) -> int:
        """Send the signal to make and to the processes that it runs in the foreground, as a terminal does."""
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
        run.stop(signal.SIGTERM)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "closed terminal"]
)
async def test_a_run_stops_all_its_processes_and_the_next_run_still_has_the_jobs(
    run: Run, number: signal.Signals
) -> None:
    run.start()
    await run.wait_until_printed(READY)
    assert run.get("/health/all").json() == {"mobilenet_v2": "ok", "inception_v3": "ok"}
    job_id = run.get("/predict/test").json()["job_id"]
    refined = await wait_until(lambda: run.get(f"/job/{job_id}").json()[job_id]["prediction"])
    await wait_until(lambda: len(run.pids()) >= 6)
    with Redis(port=int(re.findall(r"redis-cli -p (\d+)", run.printed())[-1])) as redis:
        assert redis.config_get("maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}

    run.stop(number)
    assert run.pids() == []
    if number is signal.SIGINT:  # make prints a line of its own after it
        where = f"make run: stopped. The jobs and results are in {run.environment['DATA_DIR']}/redis: "
        assert [line for line in run.printed().splitlines() if not line.startswith("make: ")][-1].startswith(where)

    run.start()
    await run.wait_until_printed(READY)
    assert run.get(f"/job/{job_id}").json() == {job_id: {"prediction": refined}}
    run.stop(number)
    assert run.pids() == []


@pytest.mark.timeout(200)
async def test_a_run_warns_of_untrained_weights_after_its_start(run: Run) -> None:
    run.start()
    await run.wait_until_printed(READY)
    newest = max((Path(run.environment["MODELS_DIR"]) / "inception_v3").glob("[0-9]*"), key=lambda p: int(p.name))
    is_untrained = '"untrained"' in (newest / "assets.extra" / "export.json").read_text("utf-8")
    await wait_until(lambda: ("UNTRAINED WEIGHTS: inception_v3" in run.printed()) == is_untrained)


@pytest.mark.timeout(200)
async def test_with_json_logs_every_line_is_an_object_with_its_host_and_process_id(run: Run) -> None:
    run.environment = {**run.environment, "LOG_FORMAT": "json"}
    run.start()
    await run.wait_until_printed('"event": "service ready"')
    run.stop(signal.SIGINT)
    lines = [json.loads(line) for line in run.printed().splitlines() if not line.startswith("make: ")]
    assert {line["host"] for line in lines} == {socket.gethostname()}
    assert all(isinstance(line["pid"], int) for line in lines)
    model_servers = {"tf-serving:mobilenet_v2", "tf-serving:inception_v3"}
    assert {line["process"] for line in lines} == {"make run", "proxy", "backend", *model_servers}
    assert lines[-1]["event"] == "service stopped"


@pytest.mark.timeout(200)
async def test_a_killed_worker_is_restarted(run: Run) -> None:
    run.start()
    await run.wait_until_printed(READY)

    def workers() -> list[int]:
        return [pid for pid in run.pids() if b"-m\0backend\0" in _read(Path(f"/proc/{pid}/cmdline"))]

    [worker] = workers()
    os.kill(worker, signal.SIGKILL)
    await wait_until(lambda: workers() and workers() != [worker])
    job_id = run.get("/predict/test").json()["job_id"]
    assert await wait_until(lambda: run.get(f"/job/{job_id}").json()[job_id]["prediction"])


def error_of_failed_run(directory: Path, models: Path, **settings: str) -> str:
    run = Run(directory, models, **settings)
    process = subprocess.run(
        ["make", "run"], cwd=ROOT, env=run.environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert process.returncode != 0
    assert "Traceback" not in process.stderr
    return process.stderr


def test_a_port_in_use_is_reported(tmp_path: Path, models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        error = error_of_failed_run(tmp_path, models_dir, PORT=port)
    advice = "stop the process that uses it, or choose another: make run PORT="
    assert f"make run: port {port} is in use: {advice}" in error


def test_a_folder_that_is_not_writable_is_reported(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "file").touch()
    error = error_of_failed_run(tmp_path, models_dir, DATA_DIR=str(tmp_path / "file" / "data"))
    assert "set DATA_DIR to a folder you can write to" in error


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"PORT": "eighty"}, "make run: PORT=eighty: "),
        ({"FAST_MODEL": "res net"}, "make run: FAST_MODEL=res net: "),
        ({"ACCURATE_MODEL": "mobilenet_v2"}, "make run: FAST_MODEL=mobilenet_v2: "),
        ({"REDIS_MAXMEMORY": "much"}, "make run: REDIS_MAXMEMORY=much: "),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(
    settings: dict[str, str], line: str, tmp_path: Path, models_dir: Path
) -> None:
    error, make_error = error_of_failed_run(tmp_path, models_dir, **settings).splitlines()
    assert error.startswith(line)
    assert not make_error.startswith(line)


@pytest.mark.slow
def test_a_model_of_ones_own_that_does_not_exist_is_reported_with_what_to_do(tmp_path: Path) -> None:
    error = error_of_failed_run(tmp_path, tmp_path, FAST_MODEL="resnet", ACCURATE_MODEL="large")
    assert f"make run: there is no model 'resnet': no version was found in {tmp_path}/resnet " in error
    assert f"`python -m model_export SOURCE --name resnet --models-dir {tmp_path}`, or set MODELS_DIR" in error


@pytest.mark.timeout(200)
async def test_a_run_serves_any_pair_of_models_and_exports_no_other(run: Run, models_dir: Path, tmp_path: Path) -> None:
    own = tmp_path / "own models"
    for name in ("small", "large"):  # the same model under both names
        newest = newest_version(models_dir, "mobilenet_v2")
        shutil.copytree(newest, own / name / "1")
    names = {"FAST_MODEL": "small", "ACCURATE_MODEL": "large", "MODELS_DIR": str(own)}
    run.environment = {**run.environment, **names}
    run.start()
    await run.wait_until_printed(READY)
    assert run.get("/health/all").json() == {"small": "ok", "large": "ok"}
    answer = run.get("/predict/test").json()
    assert list(answer) == ["job_id", "small"]
    assert {path.name for path in own.iterdir()} == {"small", "large"}
    assert await wait_until(lambda: run.get(f"/job/{answer['job_id']}").json()[answer["job_id"]]["prediction"])


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path, models_dir: Path) -> None:
    data_dir = tmp_path / "data"
    lock(data_dir)
    error = error_of_failed_run(tmp_path, models_dir, DATA_DIR=str(data_dir))
    assert f"make run: another `make run` is using {data_dir}: stop it, or set DATA_DIR to another folder" in error
    assert [path.name for path in data_dir.iterdir()] == ["lock"]


@pytest.mark.slow
def test_a_missing_redis_is_reported_in_one_line(tmp_path: Path) -> None:
    program = """
import importlib.util, shutil
shutil.which = lambda name: None
find_spec = importlib.util.find_spec
import deploy.local.redis_server as redis_server
redis_server.find_spec = lambda name: None
import deploy.local.__main__ as run
run.main()
"""
    process = subprocess.run(
        [PYTHON, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PORT": str(free_port()), "DATA_DIR": str(tmp_path)},
    )
    assert process.returncode != 0
    assert (
        process.stderr.strip() == "make run: redis-server 6.2 or newer is not installed: apt-get install redis-server"
    )
