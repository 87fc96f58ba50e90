"""The load generators, each a separate process: wrk for HTTP, `bench.direct` for gRPC."""

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
REQUEST_TIMEOUT_S: Final = 30
"""wrk counts a request that takes longer as failed."""
EXIT_TIMEOUT_S: Final = 90.0
"""A generator that runs this much longer than its duration is killed."""


class NoGenerator(Exception):
    pass


def ensure_wrk() -> str:
    """Return wrk's version. If it is missing, install it as root, or raise `NoGenerator` with a hint on how to."""
    if not shutil.which("wrk"):
        _install_wrk()
    wrk = shutil.which("wrk")
    if not wrk:
        raise NoGenerator("the load generator wrk is not installed; run: sudo apt-get install wrk")
    output = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False).stdout
    return output.split("\n", 1)[0].partition(" [")[0]


def _install_wrk() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("make bench: installing wrk", flush=True)
    for args in (["update", "-qq"], ["install", "-y", "-qq", "wrk"]):
        subprocess.run(["apt-get", *args], check=False, capture_output=True)  # noqa: S607 (found in PATH)


def post(url: str, body: Path, content_type: str, *, clients: int, seconds: float) -> Load:
    """Post the body over `clients` connections; each sends the next request when it has the response to the last.

    Raises `LoadFailed`.
    """
    command = ["wrk", f"-c{clients}", "-t1", f"-d{max(1, round(seconds))}s", f"--timeout={REQUEST_TIMEOUT_S}s"]
    command += ["-s", str(SCRIPT), f"{url}/predict", "--", str(body), content_type]
    return _run(command, seconds)


def predict(
    address: str, model: str, image: Path, *, clients: int, seconds: float, batch: int = 1, client: str = "threads"
) -> Load:
    """Call the model directly; `client` is one of `bench.direct.CLIENTS`. Raises `LoadFailed`."""
    command = [sys.executable, "-m", "bench.direct", address, model, str(image), f"--clients={clients}"]
    command += [f"--seconds={seconds}", f"--batch={batch}", f"--client={client}"]
    return _run(command, seconds)


def _run(command: Sequence[str], seconds: float) -> Load:
    try:
        generator = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + EXIT_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"{Path(command[0]).name} did not exit within {EXIT_TIMEOUT_S:g} s after its load") from None
    if generator.returncode:
        lines = (generator.stderr or generator.stdout).strip().splitlines()
        raise LoadFailed(f"{Path(command[0]).name} failed: {' '.join(lines[-6:])[-300:]}")
    return Load.from_report(generator.stdout)
