"""Describes the machine and the measured commit, without the name of the machine."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from deploy.local import redis_server
from service_settings import ROOT


def describe() -> dict[str, str]:
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "redis": _redis(),
        "grpcio": version("grpcio"),
    }


def commit() -> str:
    """Return the current commit, and whether tracked files have been changed since."""
    git = shutil.which("git")
    if not git or not (ROOT / ".git").exists():
        return "unknown"
    output = subprocess.run(
        [git, "describe", "--always", "--dirty=, changed"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    return output.strip() or "unknown"


def load_average() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _redis() -> str:
    output = subprocess.run([redis_server.find(), "--version"], capture_output=True, text=True, check=False).stdout
    return next((word[2:] for word in output.split() if word.startswith("v=")), "unknown")
