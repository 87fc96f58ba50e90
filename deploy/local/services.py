"""The processes of `make run`, as a configuration for supervisord."""

import configparser
import io
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.local.ports import HOST, free_ports
from deploy.local.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    command: Sequence[str]
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
        """Raises `NoFreePort`."""
        fast = free_ports(settings.fast_model_port, 2, besides=[settings.port])
        accurate = free_ports(settings.accurate_model_port, 2, besides=[settings.port, *fast])
        redis = free_ports(settings.redis_port, besides=[settings.port, *fast, *accurate])
        return cls(settings.port, fast[0], accurate[0], redis[0])


def services(settings: LocalSettings, at: Addresses) -> list[Service]:
    """In the order they start; they end the other way round. Each can wait for those before it."""
    fast, accurate = settings.fast_model, settings.accurate_model
    python = [sys.executable, "-m"]
    redis = [str(at.redis), str(settings.data_dir / "redis"), settings.appendfsync, settings.redis_maxmemory]
    # The accurate model and its worker yield the processor: the fast answer must not wait for them.
    nice = shutil.which("nice")
    yielding = [nice, "-n", "10"] if nice else []
    return [
        Service("redis", [*python, "deploy.local.redis_server", *redis]),
        Service(fast, _model_server(settings, fast, at.fast_model)),
        Service(accurate, [*yielding, *_model_server(settings, accurate, at.accurate_model)]),
        Service("backend", [*yielding, *python, "backend"], stop_within_s=30),
        Service("proxy", [*python, "proxy"]),
        Service("summary", [*python, "deploy.local.summary"], once=True),
    ]


def environment(settings: LocalSettings, at: Addresses) -> Mapping[str, str]:
    """What the services are told, all of them the same."""
    return {
        "REDIS_URL": f"redis://{HOST}:{at.redis}/0",
        "ACCURATE_MODEL_ADDRESS": f"{HOST}:{at.accurate_model}",
        "FAST_MODEL_ADDRESS": f"{HOST}:{at.fast_model}",
        "HOST": HOST,
        "PORT": str(at.proxy),
        "PYTHONUNBUFFERED": "1",
        "MODELS_DIR": str(settings.models_dir),
        "DATA_DIR": str(settings.data_dir),
        "FAST_MODEL_PORT": str(at.fast_model),
        "ACCURATE_MODEL_PORT": str(at.accurate_model),
        "REDIS_PORT": str(at.redis),
    }


def supervisord_config(services: Sequence[Service]) -> str:
    config = configparser.RawConfigParser()
    config["supervisord"] = {"nodaemon": "true", "silent": "true"}
    for order, service in enumerate(services):
        config[f"program:{service.name}"] = {
            "command": " ".join(map(_quoted, service.command)),
            "priority": str(order),
            "autorestart": "false" if service.once else "true",
            "startsecs": "0" if service.once else "1",
            "startretries": "1000000",
            "stopwaitsecs": str(service.stop_within_s),
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
    """As a shell would read it, but supervisord expands %(…)s first, and takes ; or # after a space for a comment."""
    quoted = '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
    return re.sub(r"(\s)([;#])", r'\1""\2', quoted)
