"""`make run`: Redis, the two model servers, a worker and the proxy, on this machine, until Ctrl-C."""

import errno
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from deploy.local import redis_server
from deploy.local.models import export_models
from deploy.local.ports import is_free
from deploy.local.services import Addresses, services, supervisord_config
from deploy.local.settings import LocalSettings


def say(text: str) -> None:
    print(f"make run: {text}", flush=True)


def start(settings: LocalSettings) -> NoReturn:
    """Become supervisord, which starts everything, starts again what falls over, and ends everything."""
    at = Addresses.choose(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    config = settings.data_dir / "supervisord.conf"
    config.write_text(supervisord_config(services(settings, at), settings.data_dir), "utf-8")
    say(f"starting redis, {settings.fast_model}, {settings.accurate_model}, backend, proxy")
    os.execv(sys.executable, [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)])  # noqa: S606


def main() -> None:
    settings = LocalSettings.from_environment("make run")
    if not is_free(settings.port):
        sys.exit(f"make run: port {settings.port} is in use: end what uses it, or choose another: make run PORT=8001")
    try:
        say(f"redis is {redis_server.find()}")
        export_models(settings)
        start(settings)
    except redis_server.NoRedisServer as error:
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
