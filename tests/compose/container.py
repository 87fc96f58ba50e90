"""One container of the stack, as the engine sees it."""

import json
from dataclasses import dataclass
from typing import Any

from tests.compose.engine import docker


@dataclass(frozen=True)
class Container:
    id: str

    def inspect(self) -> dict[str, Any]:
        [found] = json.loads(docker("inspect", self.id))
        return dict(found)

    @property
    def service(self) -> str:
        return str(self.inspect()["Config"]["Labels"]["com.docker.compose.service"])

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.inspect()["State"])

    @property
    def restarts(self) -> int:
        """How often the engine started it again by itself."""
        return int(self.inspect()["RestartCount"])

    def is_healthy(self) -> bool:
        return bool(self.state["Health"]["Status"] == "healthy")

    def run(self, *command: str) -> str:
        """Run a command inside, as the container's own user."""
        return docker("exec", self.id, *command)

    def main_process(self) -> dict[str, str]:
        """`/proc/<id>/status` of what the container is for: the child of its init."""
        text = self.run("sh", "-c", "cat /proc/$(cut -d' ' -f1 /proc/1/task/1/children)/status")
        return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}

    def kill_main_process(self) -> None:
        """SIGKILL from inside, to everything but the init: `docker kill` would also keep it from being restarted."""
        docker("exec", self.id, "sh", "-c", "kill -s KILL -- -1")

    def pause(self) -> None:
        """All its processes stand still, connections and all: it is there and does not answer."""
        docker("pause", self.id)

    def unpause(self) -> None:
        docker("unpause", self.id)

    def logged(self, words: str) -> int:
        """How many lines of its log hold `words`."""
        return sum(words in line for line in docker("logs", self.id).splitlines())

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after the grace that the stack gives it."""
        docker("stop", self.id)

    def start(self) -> None:
        docker("start", self.id)
