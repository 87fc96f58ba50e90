"""A manager taken through its versions' lives by hand: an engine that loads at once, and a clock that is turned."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import service_log
from local_tf_serving.errors import ServingError
from local_tf_serving.manager import Manager, Pace
from local_tf_serving.predictor import Predictor
from local_tf_serving.servables import Version


@dataclass
class Loaded:
    """A servable that remembers whether it was closed."""

    directory: Path
    signature_defs: dict[str, Any] = field(default_factory=dict)
    closed: bool = False
    closes: bool = True

    def run(self, *_: object) -> list[Any]:
        raise NotImplementedError

    def close(self) -> None:
        if not self.closes:
            raise RuntimeError("it does not close")
        self.closed = True


class Life:
    def __init__(self, base_path: Path, pace: Pace) -> None:
        self.base_path = base_path
        self.turned_by_hand = True
        self.now = 1000.0
        self.loaded: list[Loaded] = []
        self.broken: dict[str, Exception] = {}
        self.tries: list[str] = []
        self.outcomes: list[Version] = []
        self.memory_given_back = 0
        self.memory_is_given_back = True
        self.manager = Manager(
            "m",
            base_path,
            self._load,
            log=service_log.get_logger(),
            on_outcome=self.outcomes.append,
            pace=pace,
            clock=lambda: self.now if self.turned_by_hand else time.monotonic(),
            trim_memory=self._trim_memory,
        )

    def publish(self, version: int) -> None:
        (self.base_path / str(version)).mkdir()

    def remove(self, version: int) -> None:
        (self.base_path / str(version)).rmdir()

    def tick(self, seconds: float = 1) -> dict[int, str]:
        self.now += seconds
        self.manager.tick()
        return self.states()

    def states(self) -> dict[int, str]:
        return {version.number: version.state.name for version in self.manager.servables.snapshot()}

    def error(self, version: int) -> ServingError | None:
        (status,) = self.manager.servables.statuses("m", version)
        return status.error

    def _trim_memory(self) -> None:
        if not self.memory_is_given_back:
            raise RuntimeError("no memory is given back")
        self.memory_given_back += 1

    def _load(self, directory: Path) -> Predictor:
        self.tries.append(directory.name)
        if directory.name in self.broken:
            raise self.broken[directory.name]
        self.loaded.append(Loaded(directory))
        return Predictor(self.loaded[-1])
