"""The stack that `make` starts, isolated from other stacks by its own project name, port and image tags."""

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

SERVICES: Final = ("proxy", "backend", "imagenet-mobilenet-v2", "imagenet-inception-v3", "redis")
THIS_CLONE: Final = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
VERSION: Final = f"test-{THIS_CLONE}"
"""The version of the images. It is the same for all runs in one clone, so that later runs reuse the images."""
INHERITED_VARIABLES: Final = (
    *("PATH", "HOME", "LANG", "TMPDIR", "PYTHON_IMAGE", "REDIS_IMAGE", "DOCKER", "DOCKER_BUILDKIT", "DOCKER_COMPOSE"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
)
"""make inherits only these: neither settings of the services nor the variables of an outer make."""


def compose_command() -> list[str]:
    """Return the command that the Makefile chooses: the plugin `docker compose`, else `docker-compose`."""
    if command := os.environ.get("DOCKER_COMPOSE"):
        return shlex.split(command)
    return [*DOCKER, "compose"] if succeeds("compose", "version") else ["docker-compose"]


def is_installed() -> bool:
    return shutil.which(compose_command()[0]) is not None


@dataclass(slots=True)
class Stack:
    variables: Mapping[str, str]
    """Passed to make; they select the variant of the stack."""
    project: str = f"compose-test-{THIS_CLONE}"
    port: int = field(default_factory=free_port)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        weights = {"IMAGENET_WEIGHTS_DIR": str(WEIGHTS_DIR)} if WEIGHTS_DIR.exists() else {}
        own = {"COMPOSE_PROJECT_NAME": self.project, "PORT": str(self.port), "IMAGE_VERSION": VERSION}
        return {**inherited, **weights, **own, **self.variables}

    def try_make(self, *args: str, timeout: float = 300, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, **variables}
        return subprocess.run(
            ["make", *args], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=timeout
        )

    def make(self, *args: str, timeout: float = 300, **variables: str) -> str:
        process = self.try_make(*args, timeout=timeout, **variables)
        assert process.returncode == 0, f"make {' '.join(args)}:\n{process.stdout[-8000:]}\n{process.stderr[-8000:]}"
        return process.stdout

    def compose(self, *args: str) -> str:
        files = ["docker-compose.yml"]
        if self.variables.get("SERVING") == "local":
            files.append("docker-compose.local-serving.yml")
        command = [*compose_command(), *(arg for file in files for arg in ("-f", file)), *args]
        process = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert process.returncode == 0, f"{' '.join(command)}:\n{process.stdout}\n{process.stderr}"
        return process.stdout

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=30)

    def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError, ValueError):
            return set(self.get("/health/all").json().values()) == {"ok"}
        return False

    async def wait_until_healthy(self) -> None:
        """Wait until the engine, which checks every ten seconds, reports all containers as healthy."""
        await wait_until(lambda: all(container.is_healthy() for container in self.containers()), within=60, every=0.5)

    def containers(self, service: str | None = None) -> list[Container]:
        filters = [f"label=com.docker.compose.project={self.project}"]
        if service:
            filters.append(f"label=com.docker.compose.service={service}")
        args = [arg for condition in filters for arg in ("--filter", condition)]
        return [Container(container_id) for container_id in docker("ps", "-a", "-q", "--no-trunc", *args).split()]

    def container(self, service: str) -> Container:
        [only] = self.containers(service)
        return only

    def prediction(self, job_id: str) -> str | None:
        """Return the accurate model's label, `""` if there is none yet or Redis is down, None if the job is unknown."""
        response = self.get(f"/job/{job_id}")
        if response.status_code == 503:
            return ""
        prediction: str | None = response.json()[job_id]["prediction"]
        return prediction

    def leftovers(self) -> dict[str, list[str]]:
        """Return the ids of this stack's remaining containers, networks and volumes, by kind."""
        of_this_stack = ("--filter", f"label=com.docker.compose.project={self.project}")
        found = {
            "containers": docker("ps", "-a", "-q", *of_this_stack),
            "networks": docker("network", "ls", "-q", *of_this_stack),
            "volumes": docker("volume", "ls", "-q", *of_this_stack),
        }
        return {kind: names.split() for kind, names in found.items() if names}

    def remove(self) -> None:
        self.compose("down", "-v", "--remove-orphans")
