"""The services of `make run` and their supervisord configuration."""

import configparser
import io
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from deploy.local.ports import HOST, free_ports
from deploy.local.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    command: Sequence[str]
    stop_timeout: timedelta = timedelta(seconds=15)
    is_one_shot: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    proxy: int
    fast_model: int
    accurate_model: int
    redis: int

    @classmethod
    def choose(cls, settings: LocalSettings) -> "Ports":
        """Choose the configured ports where they are free, else the next free ones. Raises NoFreePort."""
        fast = free_ports(settings.fast_model_port, 2, exclude=[settings.port])
        accurate = free_ports(settings.accurate_model_port, 2, exclude=[settings.port, *fast])
        redis = free_ports(settings.redis_port, exclude=[settings.port, *fast, *accurate])
        return cls(settings.port, fast[0], accurate[0], redis[0])


def services(settings: LocalSettings, ports: Ports) -> list[Service]:
    """Return the services in the order in which they start. They stop in reverse order."""
    fast, accurate = settings.fast_model, settings.accurate_model
    python = [sys.executable, "-m"]
    redis = [str(ports.redis), str(settings.data_dir / "redis"), settings.appendfsync, settings.redis_maxmemory]
    # The fast model must get the CPU before the accurate model and the worker do.
    low_priority = ["nice", "-n", "10"] if shutil.which("nice") else []
    return [
        Service("redis", [*python, "deploy.local.redis_server", *redis]),
        Service(fast, _model_server(settings, fast, ports.fast_model)),
        Service(accurate, [*low_priority, *_model_server(settings, accurate, ports.accurate_model)]),
        Service("backend", [*low_priority, *python, "backend"], stop_timeout=timedelta(seconds=30)),
        Service("proxy", [*python, "proxy"]),
        Service("summary", [*python, "deploy.local.summary"], is_one_shot=True),
    ]


def environment(settings: LocalSettings, ports: Ports) -> Mapping[str, str]:
    """Return the environment variables that all services get."""
    return {
        "REDIS_URL": f"redis://{HOST}:{ports.redis}/0",
        "ACCURATE_MODEL_ADDRESS": f"{HOST}:{ports.accurate_model}",
        "FAST_MODEL_ADDRESS": f"{HOST}:{ports.fast_model}",
        "HOST": HOST,
        "PORT": str(ports.proxy),
        "PYTHONUNBUFFERED": "1",
        "MODELS_DIR": str(settings.models_dir),
        "DATA_DIR": str(settings.data_dir),
        "FAST_MODEL_PORT": str(ports.fast_model),
        "ACCURATE_MODEL_PORT": str(ports.accurate_model),
        "REDIS_PORT": str(ports.redis),
    }


def supervisord_config(services: Sequence[Service]) -> str:
    config = configparser.RawConfigParser()
    config["supervisord"] = {"nodaemon": "true", "silent": "true"}
    for order, service in enumerate(services):
        config[f"program:{service.name}"] = {
            "command": " ".join(map(_quoted, service.command)),
            "priority": str(order),
            "autorestart": "false" if service.is_one_shot else "true",
            "startsecs": "0" if service.is_one_shot else "1",
            "startretries": "1000000",
            "stopwaitsecs": f"{service.stop_timeout.total_seconds():.0f}",
            "redirect_stderr": "true",
            "stdout_logfile": "NONE",
            "stdout_events_enabled": "true",
        }
    text = io.StringIO()
    config.write(text)
    return text.getvalue()


def _model_server(settings: LocalSettings, name: str, port: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "local_tf_serving",
        f"--host={HOST}",
        f"--port={port}",
        f"--rest_api_port={port + 1}",
        f"--model_name={name}",
        f"--model_base_path={settings.models_dir / name}",
        *settings.model_server_flags.split(),
    ]


def _quoted(word: str) -> str:
    """Quote a word as a shell does, and escape %(…)s and a ; or # after a space, which supervisord would interpret."""
    quoted = '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
    return re.sub(r"(\s)([;#])", r'\1""\2', quoted)
