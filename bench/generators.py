"""What drives the service and the models: wrk over HTTP, a Python client over gRPC. Each is a process of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.load import Load, LoadFailed
from service_settings import ROOT

SCRIPT: Final = Path(__file__).with_name("post.lua")
TIMEOUT_S: Final = 30
"""Of one request. wrk counts one that takes longer as failed."""
SPARE_S: Final = 90.0
"""How much longer than told a generator may take before it is ended."""


class NoGenerator(Exception):
    pass


def ready() -> str:
    """Return which wrk there is, installing it where that can be done. Raises `NoGenerator` with what to do."""
    if not shutil.which("wrk"):
        _install()
    wrk = shutil.which("wrk")
    if not wrk:
        raise NoGenerator("there is no wrk on this machine, which makes the load: sudo apt-get install wrk")
    said = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False).stdout
    return said.split("\n", 1)[0].partition(" [")[0]


def _install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("make bench: installing wrk", flush=True)
    for words in (["update", "-qq"], ["install", "-y", "-qq", "wrk"]):
        subprocess.run(["apt-get", *words], check=False, capture_output=True)  # noqa: S607 (whichever the machine has)


def post(url: str, body: Path, content_type: str, *, clients: int, seconds: float) -> Load:
    """Have `clients` post the body without pause, each its next when the last is answered. Raises `LoadFailed`."""
    command = ["wrk", f"-c{clients}", "-t1", f"-d{max(1, round(seconds))}s", f"--timeout={TIMEOUT_S}s"]
    command += ["-s", str(SCRIPT), f"{url}/predict", "--", str(body), content_type]
    return _run(command, seconds)


def predict(
    address: str, model: str, image: Path, *, clients: int, seconds: float, batch: int = 1, client: str = "threads"
) -> Load:
    """Ask the model directly; `client` is one of `bench.direct.CLIENTS`. Raises `LoadFailed`."""
    command = [sys.executable, "-m", "bench.direct", address, model, str(image), f"--clients={clients}"]
    command += [f"--seconds={seconds}", f"--batch={batch}", f"--client={client}"]
    return _run(command, seconds)


def _run(command: Sequence[str], seconds: float) -> Load:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + SPARE_S)
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"{command[0]} did not come to an end") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LoadFailed(f"{Path(command[0]).name} failed: {' '.join(said[-6:])[-300:]}")
    return Load.from_report(done.stdout)
