"""docs/your-own-models.md: its commands run in order, as printed, and each pair of models answers as its sources do."""

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.newest_version import newest_version
from harness.models import MODELS_DIR
from harness.process import PYTHON, ROOT, Process, free_port
from harness.redis import redis_url
from harness.waiting import wait_until
from job_store import Answer, Job, JobStore, connect
from tests.model_export.walk_sources import Ranking, ranking

WALK: Final = (ROOT / "docs" / "your-own-models.md").read_text("utf-8")
BLOCKS: Final[list[tuple[str, str]]] = re.findall(r"^```(sh|python)\n(.*?)^```$", WALK, re.S | re.M)
SLOW_EXPORTS: Final = ("efficientnet_b0", "resnet50")
"""Later test runs reuse these versions while they are up to date."""
TIE: Final = 0.005
"""Of the best score. Labels whose scores differ by less may change places: Pillow and TensorFlow decode and resize
almost alike."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@dataclass(frozen=True, slots=True)
class Walk:
    directory: Path

    @property
    def own(self) -> Path:
        return self.directory / "own"

    @property
    def models(self) -> Path:
        return self.directory / "models"

    def run(self, language: str, code: str) -> None:
        """Run a block that needs no running service. Exports reach no network and find no weights."""
        proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        environment = {**os.environ, **proxy, "MODELS_DIR": str(self.models), "KERAS_HOME": str(self.directory)}
        environment |= {"IMAGENET_WEIGHTS_DIR": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = ["bash", "-euc"] if language == "sh" else [PYTHON, "-c"]
        process = subprocess.run(
            [*command, self._as_here(code)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stdout + process.stderr
        if "model_export" in code:
            assert re.search("the largest difference of a score from the source's is|is up to date", process.stdout)

    async def serve(self, command: str, requests: str) -> tuple[str, str]:
        """Run `make run` and the two requests after it. Check the answers, and return the models' names."""
        port = free_port()
        environment = {"PORT": str(port), "MODELS_DIR": str(self.models), "DATA_DIR": str(self.directory / f"{port}")}
        environment |= {"MODEL_SERVER_FLAGS": "--inference_precision=float32"}  # as the sources
        shell = ["bash", "-c", f"exec env {self._as_here(command)}"]
        with Process(shell, environment, self.directory / f"{port}.log") as service:

            def is_up() -> bool:
                service.check_running()
                return bool(service.logged("Try it in another shell"))

            await wait_until(is_up, within=300)
            models = await self._request(requests, port, service.log)
            service.send(signal.SIGINT)
            await wait_until(lambda: not service.is_running, within=60)
        assert f"FAST_MODEL={models[0]} ACCURATE_MODEL={models[1]} " in command
        return models

    async def _request(self, requests: str, port: int, log: Path) -> tuple[str, str]:
        post, fetch = requests.splitlines()
        response = curl(post, port)
        job_id = response.pop("job_id")
        prediction = await wait_until(
            lambda: curl(fetch.replace("JOB_ID", job_id), port)[job_id]["prediction"], within=60, every=0.2
        )
        job = await stored_job(job_id, log)
        assert job.output
        fast, accurate = str(job.provisional["model"]), str(job.output["model"])
        assert response == {fast: job.provisional["label"]}
        assert prediction == job.output["label"]
        for model, answer in ((fast, job.provisional), (accurate, job.output)):
            assert_has_the_top_five_of(ranking(model, self.own, posted(post)), answer)
        return fast, accurate

    def _as_here(self, code: str) -> str:
        code = code.replace("var/own", str(self.own)).replace(".venv/bin/python", PYTHON)
        return code.replace("make run", f"{PYTHON} -m deploy.local")


def curl(command: str, port: int) -> dict[str, Any]:
    command = command.replace("localhost:8000", f"127.0.0.1:{port}").replace("curl ", "curl -sS --noproxy '*' ")
    process = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    response: dict[str, Any] = json.loads(process.stdout)
    return response


def posted(command: str) -> bytes:
    if file := re.search(r"image=@(\S+)", command):
        return (ROOT / file[1]).read_bytes()
    return command.split('"')[3].encode()  # -H "…" -d "…"


async def stored_job(job_id: str, log: Path) -> Job:
    port = int(re.findall(r"redis-cli -p (\d+)", log.read_text("utf-8"))[-1])
    async with connect(redis_url(port), name="test", timeout=timedelta(seconds=5)) as redis:
        job = await JobStore(redis).find(job_id)
    assert job
    return job


def assert_has_the_top_five_of(source: Ranking, answer: Answer) -> None:
    tie = TIE * source[0][1]
    assert source[0][1] - source[-1][1] > 5 * tie, "the source must distinguish its classes"
    top_k: Any = answer["top_k"]
    assert answer["label"] == top_k[0][0]
    scores = dict(reversed(source))  # the better of two labels of the same name
    labels = {label for label, _ in top_k}
    assert labels <= scores.keys()
    assert len(top_k) == len(labels) == min(5, len(source))
    for (label, score), (_, expected) in zip(top_k, source, strict=False):
        assert scores[label] == pytest.approx(expected, abs=tie), (top_k, source[:6])
        assert score == pytest.approx(scores[label], abs=min(0.005, 10 * tie))


async def test_every_command_of_the_walk_runs_and_each_pair_answers_as_its_sources_do(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    walk.models.mkdir()
    for name in SLOW_EXPORTS:
        (MODELS_DIR / name).mkdir(parents=True, exist_ok=True)
        (walk.models / name).symlink_to(MODELS_DIR / name)
    blocks = iter(BLOCKS)
    pairs = []
    for language, code in blocks:
        if "make run" in code:
            pairs.append(await walk.serve(code, next(blocks)[1]))
        elif "pip install" not in code:  # the tests' environment has them
            walk.run(language, code)
    assert pairs == [
        ("efficientnet_b0", "resnet50"),
        ("ten", "ten_saved_model"),
        ("ten_onnx", "ten"),
        ("mood_fast", "mood_accurate"),
    ]
    names = re.findall(r"--name (\w+)", "".join(code for _, code in BLOCKS))
    assert len(names) == 7
    assert {path.name for path in walk.models.iterdir()} == set(names)
    assert all(newest_version(walk.models, name).is_dir() for name in names)
