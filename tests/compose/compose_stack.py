"""The stack as a person has it from `make`, apart from any other: own project, own port, own image tags."""

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from harness.models import WEIGHTS_DIR
from harness.process import ROOT, free_port
from harness.waiting import wait_until
from tests.compose.container import Container
from tests.compose.engine import DOCKER, docker, succeeds

THIS_CLONE: Final = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
VERSION: Final = f"test-{THIS_CLONE}"
"""The images' version: always the same in one clone, so that a second run finds the first one's."""
KEPT_VARIABLES: Final = (
    *("PATH", "HOME", "LANG", "TMPDIR", "PYTHON_IMAGE", "REDIS_IMAGE", "DOCKER", "DOCKER_BUILDKIT", "DOCKER_COMPOSE"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
)
"""Nothing else of this shell reaches make: neither settings of the services nor what make tells its children."""


def compose_command() -> list[str]:
    """As the Makefile chooses it: the plugin, else the program of its own."""
    if chosen := os.environ.get("DOCKER_COMPOSE"):
        return shlex.split(chosen)
    return [*DOCKER, "compose"] if succeeds("compose", "version") else ["docker-compose"]


def is_installed() -> bool:
    return shutil.which(compose_command()[0]) is not None


@dataclass
class Stack:
    variables: Mapping[str, str]
    """Of make: which variant this is."""
    project: str = f"compose-test-{THIS_CLONE}"
    port: int = field(default_factory=free_port)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        weights = {"IMAGENET_WEIGHTS_DIR": str(WEIGHTS_DIR)} if WEIGHTS_DIR.exists() else {}
        own = {"COMPOSE_PROJECT_NAME": self.project, "PORT": str(self.port), "IMAGE_VERSION": VERSION}
        return {**kept, **weights, **own, **self.variables}

    def try_make(self, *words: str, timeout: float = 300, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, **variables}
        return subprocess.run(
            ["make", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=timeout
        )

    def make(self, *words: str, timeout: float = 300, **variables: str) -> str:
        done = self.try_make(*words, timeout=timeout, **variables)
        assert done.returncode == 0, f"make {' '.join(words)}:\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
        return done.stdout

    def compose(self, *words: str) -> str:
        files = ["docker-compose.yml"]
        if self.variables.get("SERVING") == "local":
            files.append("docker-compose.local-serving.yml")
        command = [*compose_command(), *(word for file in files for word in ("-f", file)), *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=30)

    def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError, ValueError):
            return set(self.get("/health/all").json().values()) == {"ok"}
        return False

    async def until_healthy(self) -> None:
        """Until the engine says so of each container: it looks every ten seconds."""
        await wait_until(lambda: all(each.is_healthy() for each in self.containers()), within=60, every=0.5)

    def containers(self, service: str | None = None) -> list[Container]:
        filters = [f"label=com.docker.compose.project={self.project}"]
        if service:
            filters.append(f"label=com.docker.compose.service={service}")
        words = [word for each in filters for word in ("--filter", each)]
        return [Container(found) for found in docker("ps", "-a", "-q", "--no-trunc", *words).split()]

    def container(self, service: str) -> Container:
        [only] = self.containers(service)
        return only

    def prediction(self, job_id: str) -> str | None:
        """The accurate model's label; `""` while there is none, or no one to ask; None for a job that is not known."""
        response = self.get(f"/job/{job_id}")
        if response.status_code == 503:
            return ""
        prediction: str | None = response.json()[job_id]["prediction"]
        return prediction

    def remains(self) -> dict[str, list[str]]:
        """What of it the engine still has."""
        ours = ("--filter", f"label=com.docker.compose.project={self.project}")
        found = {
            "containers": docker("ps", "-a", "-q", *ours),
            "networks": docker("network", "ls", "-q", *ours),
            "volumes": docker("volume", "ls", "-q", *ours),
        }
        return {kind: names.split() for kind, names in found.items() if names}

    def remove(self) -> None:
        self.compose("down", "-v", "--remove-orphans")
