"""The processes of `make run`, as a configuration for supervisord."""

import configparser
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.ports import HOST, free_ports
from deploy.local.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_within_s: int = 15
    once: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    proxy: int
    fast_model: int
    accurate_model: int
    redis: int

    @classmethod
    def choose(cls, settings: LocalSettings) -> "Addresses":
        fast = free_ports(settings.fast_model_port, 2)
        accurate = free_ports(max(settings.accurate_model_port, fast + 2), 2)
        return cls(settings.port, fast, accurate, free_ports(settings.redis_port))


def services(settings: LocalSettings, at: Addresses) -> list[Service]:
    """In the order they start; they end the other way round. Each can wait for those before it."""
    shared = {
        "REDIS_URL": f"redis://{HOST}:{at.redis}/0",
        "ACCURATE_MODEL_ADDRESS": f"{HOST}:{at.accurate_model}",
        "FAST_MODEL_ADDRESS": f"{HOST}:{at.fast_model}",
        "HOST": HOST,
        "PORT": str(at.proxy),
        "PYTHONUNBUFFERED": "1",
    }
    python = sys.executable
    redis_directory = settings.data_dir / "redis"
    # The accurate model and its worker yield the processor: the fast answer must not wait for them.
    yielding = ["nice", "-n", "10"]
    return [
        Service("redis", [python, "-m", "deploy.local.redis_server", str(at.redis), str(redis_directory)]),
        Service(settings.fast_model, _model_server(settings, settings.fast_model, at.fast_model), shared),
        Service(
            settings.accurate_model,
            [*yielding, *_model_server(settings, settings.accurate_model, at.accurate_model)],
            shared,
        ),
        Service("backend", [*yielding, python, "-m", "backend"], shared, stop_within_s=30),
        Service("proxy", [python, "-m", "proxy"], shared),
        Service("summary", [python, "-m", "deploy.local.summary"], {**shared, **_for_summary(settings, at)}, once=True),
    ]


def supervisord_config(services: Sequence[Service], directory: Path) -> str:
    config = configparser.RawConfigParser()
    config["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "logfile": _escaped(str(directory / "supervisord.log")),
        "pidfile": _escaped(str(directory / "supervisord.pid")),
        "childlogdir": _escaped(str(directory)),
    }
    for order, service in enumerate(services):
        config[f"program:{service.name}"] = {
            "command": _escaped(" ".join(map(_quoted, service.command))),
            "environment": _escaped(
                ",".join(f"{name}={_quoted(value)}" for name, value in service.environment.items())
            ),
            "priority": str(order),
            "autorestart": "false" if service.once else "true",
            "startsecs": "0" if service.once else "1",
            "startretries": "1000000",
            "stopwaitsecs": str(service.stop_within_s),
            "redirect_stderr": "true",
            "stdout_logfile": "/dev/fd/1",
            "stdout_logfile_maxbytes": "0",
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
    ]


def _for_summary(settings: LocalSettings, at: Addresses) -> dict[str, str]:
    return {
        "MODELS_DIR": str(settings.models_dir),
        "DATA_DIR": str(settings.data_dir),
        "FAST_MODEL_PORT": str(at.fast_model),
        "ACCURATE_MODEL_PORT": str(at.accurate_model),
        "REDIS_PORT": str(at.redis),
    }


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")  # supervisord expands %(…)s in every value
