"""`make run`: starts Redis, both model servers, a worker and the proxy on this machine, and runs them until Ctrl-C."""

import errno
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from backend.settings import Settings as BackendSettings
from deploy.local import redis_server
from deploy.local.commands import shell_commands
from deploy.local.models import export_models
from deploy.local.ports import NoFreePort, check
from deploy.local.report import configure, report, warn
from deploy.local.services import Ports, environment, services, supervisord_config
from deploy.local.settings import LocalSettings
from file_lock import hold_until_exit
from proxy.settings import Settings as ProxySettings
from service_settings import ROOT
from service_settings.command_line import parse_arguments, similar_settings


def lock(data_dir: Path) -> None:
    """Lock `data_dir` until this process, which becomes supervisord, ends. Exits if another run holds the lock."""
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        hold_until_exit(data_dir / "lock")
    except BlockingIOError:
        sys.exit(f"make run: another `make run` is using {data_dir}: stop it, or set DATA_DIR to another folder")


def check_port(port: int) -> None:
    try:
        check(port)
    except PermissionError:
        sys.exit(f"make run: port {port} is reserved for root: choose another: make run PORT=8001")
    except OSError:
        sys.exit(
            f"make run: port {port} is in use: stop the process that uses it, or choose another: make run PORT=8001"
        )


def warn_of_misspelled_settings(settings: LocalSettings) -> None:
    """The proxy and the worker warn of their own."""
    for name, similar in similar_settings(LocalSettings, os.environ):
        if similar not in ProxySettings.variables() | BackendSettings.variables():
            text = f"make run: {name} is not a setting and is ignored: {similar} is one"
            warn(settings, text, "unknown setting", ignored=name, similar=similar)


def start(settings: LocalSettings) -> NoReturn:
    """Replace this process with supervisord, which starts, restarts and stops the services."""
    ports = Ports.choose(settings)
    home = settings.data_dir
    config = home / "supervisord.conf"
    config.write_text(supervisord_config(services(settings, ports)), "utf-8")
    files = {"-c": config, "-l": home / "supervisord.log", "-j": home / "supervisord.pid", "-q": home}
    options = [str(word) for option in files.items() for word in option]
    variables = {**os.environ, **environment(settings, ports)}
    commands = dict(shell_commands(services(settings, ports), variables))
    lines = "".join(f"\n  # {name}\n  {command}\n" for name, command in commands.items())
    text = f"make run: starting these services, which can also be started one by one in {ROOT}:\n{lines}"
    report(settings, text, "services starting", commands=commands)
    sys.stdout.flush()
    command = [sys.executable, "-m", "deploy.local.supervisor", *options]
    os.execve(sys.executable, command, variables)  # noqa: S606 (needs no shell)


def main() -> None:
    parse_arguments("python -m deploy.local", "`make run`: runs the whole service on this machine.", LocalSettings)
    settings = LocalSettings.from_environment("make run")
    configure(settings)
    warn_of_misspelled_settings(settings)
    check_port(settings.port)
    try:
        redis = str(redis_server.find())
        report(settings, f"make run: using {redis}", "redis found", path=redis)
        lock(settings.data_dir)
        export_models(settings)
        start(settings)
    except (redis_server.NoRedisServer, NoFreePort) as error:
        sys.exit(f"make run: {error}")
    except OSError as error:
        advice = "free some disk space" if error.errno == errno.ENOSPC else "set DATA_DIR to a folder you can write to"
        sys.exit(f"make run: {error.strerror}: {error.filename}: {advice}")


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    main()
