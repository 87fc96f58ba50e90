"""The services of `make run` as shell commands, so that they can be started one by one."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from backend.settings import Settings as BackendSettings
from deploy.local.services import Service
from proxy.settings import Settings as ProxySettings
from service_settings import ROOT

MODEL_SERVER: Final = frozenset({"LOG_FORMAT"})
READ_BY: Final[Mapping[str, frozenset[str]]] = {
    "proxy": ProxySettings.variables(),
    "backend": BackendSettings.variables(),
    "redis": frozenset(),
}
"""The variables that each service reads."""


def shell_commands(services: Sequence[Service], environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the command of each service that keeps running. They run in the folder of the project.

    Each command sets the variables of `environment` that its service reads.
    """
    for service in services:
        if not service.is_one_shot:
            variables = READ_BY.get(service.name, MODEL_SERVER)
            own = sorted((name, value) for name, value in environment.items() if name in variables and value)
            words = [f"{name}={shlex.quote(value)}" for name, value in own]
            yield service.name, " ".join([*words, shlex.join(map(_shortened, service.command))])


def _shortened(word: str) -> str:
    is_python = word == sys.executable and Path(word).is_relative_to(ROOT)
    return str(Path(word).relative_to(ROOT)) if is_python else word
