"""One container of the stack."""

import json
from dataclasses import dataclass
from typing import Any

from tests.compose.engine import docker


@dataclass(frozen=True, slots=True)
class Container:
    id: str

    def inspect(self) -> dict[str, Any]:
        [attributes] = json.loads(docker("inspect", self.id))
        return dict(attributes)

    @property
    def service(self) -> str:
        return str(self.inspect()["Config"]["Labels"]["com.docker.compose.service"])

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.inspect()["State"])

    @property
    def restarts(self) -> int:
        """How many times the engine has restarted it."""
        return int(self.inspect()["RestartCount"])

    def is_healthy(self) -> bool:
        return bool(self.state["Health"]["Status"] == "healthy")

    def run(self, *command: str) -> str:
        """Run a command in the container as the container's user and return its output."""
        return docker("exec", self.id, *command)

    def main_process(self) -> dict[str, str]:
        """Return `/proc/<id>/status` of the main process, which is the child of the container's init."""
        text = self.run("sh", "-c", "cat /proc/$(cut -d' ' -f1 /proc/1/task/1/children)/status")
        return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}

    def kill_main_process(self) -> None:
        """Send SIGKILL to all processes except the init. After `docker kill`, the engine would not restart it."""
        docker("exec", self.id, "sh", "-c", "kill -s KILL -- -1")

    def pause(self) -> None:
        """Freeze all processes: connections stay open, but nothing responds."""
        docker("pause", self.id)

    def unpause(self) -> None:
        docker("unpause", self.id)

    def logged(self, text: str) -> int:
        """Return the number of log lines that contain `text`."""
        return sum(text in line for line in docker("logs", self.id).splitlines())

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after the stop grace period."""
        docker("stop", self.id)

    def start(self) -> None:
        docker("start", self.id)
