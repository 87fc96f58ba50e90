"""`make run`: Redis, the two model servers, a worker and the proxy, on this machine, until Ctrl-C."""

import errno
import fcntl
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from deploy.local import ports, redis_server
from deploy.local.models import export_models
from deploy.local.services import Addresses, environment, services, supervisord_config
from deploy.local.settings import LocalSettings


def say(text: str) -> None:
    print(f"make run: {text}", flush=True)


def hold(data_dir: Path) -> None:
    """Have `data_dir` for this run alone, as long as this process lives, whatever it becomes."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"make run: another make run uses {data_dir}: end it, or set DATA_DIR to another folder")
    os.set_inheritable(lock, True)


def check_port(port: int) -> None:
    try:
        ports.check(port)
    except PermissionError:
        sys.exit(f"make run: port {port} is kept for root: choose another: make run PORT=8001")
    except OSError:
        sys.exit(f"make run: port {port} is in use: end what uses it, or choose another: make run PORT=8001")


def start(settings: LocalSettings) -> NoReturn:
    """Become supervisord, which starts everything, starts again what falls over, and ends everything."""
    at = Addresses.choose(settings)
    home = settings.data_dir
    config = home / "supervisord.conf"
    config.write_text(supervisord_config(services(settings, at)), "utf-8")
    files = {"-c": config, "-l": home / "supervisord.log", "-j": home / "supervisord.pid", "-q": home}
    options = [str(word) for option in files.items() for word in option]
    say(f"starting redis, {settings.fast_model}, {settings.accurate_model}, backend, proxy")
    command = [sys.executable, "-m", "deploy.local.supervisor", *options]
    os.execve(sys.executable, command, {**os.environ, **environment(settings, at)})  # noqa: S606 (no shell is meant)


def main() -> None:
    settings = LocalSettings.from_environment("make run")
    check_port(settings.port)
    try:
        say(f"redis is {redis_server.find()}")
        hold(settings.data_dir)
        export_models(settings)
        start(settings)
    except (redis_server.NoRedisServer, ports.NoFreePort) as error:
        sys.exit(f"make run: {error}")
    except OSError as error:
        what_to_do = "make room on the disk" if error.errno == errno.ENOSPC else "set DATA_DIR to a folder of yours"
        sys.exit(f"make run: {error.strerror}: {error.filename}: {what_to_do}")


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    main()
