"""Drives a `Manager` step by step, with a fake engine that loads without delay and a manual clock."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from local_tf_serving.errors import ServingError
from local_tf_serving.manager import Manager, PollPolicy
from local_tf_serving.predictor import Predictor
from local_tf_serving.servables import Version


@dataclass(slots=True)
class FakeServable:
    directory: Path
    signature_defs: dict[str, Any] = field(default_factory=dict)
    is_closed: bool = False
    close_fails: bool = False

    def run(self, *_: object) -> list[Any]:
        raise NotImplementedError

    def close(self) -> None:
        if self.close_fails:
            raise RuntimeError("close failed")
        self.is_closed = True


class ManagerDriver:
    def __init__(self, base_path: Path, *, interval: float = 1, max_load_retries: int = 2) -> None:
        """The manager polls every `interval` seconds and waits 60 s before it retries a load."""
        self.base_path = base_path
        self.has_manual_clock = True
        self.now = 1000.0
        self.servables: list[FakeServable] = []
        self.load_errors: dict[str, Exception] = {}
        self.load_attempts: list[str] = []
        self.load_results: list[Version] = []
        self.trim_count = 0
        self.trim_fails = False
        self.manager = Manager(
            "m",
            base_path,
            self._load,
            on_load_result=self.load_results.append,
            policy=PollPolicy(timedelta(seconds=interval), max_load_retries, timedelta(seconds=60)),
            clock=lambda: self.now if self.has_manual_clock else time.monotonic(),
            trim_memory=self._trim_memory,
        )

    def publish(self, version: int) -> None:
        (self.base_path / str(version)).mkdir()

    def remove(self, version: int) -> None:
        (self.base_path / str(version)).rmdir()

    def tick(self, seconds: float = 1) -> dict[int, str]:
        """Advance the clock, run one tick of the manager and return the states of all versions."""
        self.now += seconds
        self.manager.tick()
        return self.states()

    def states(self) -> dict[int, str]:
        return {version.number: version.state.name for version in self.manager.servables.snapshot()}

    def error(self, version: int) -> ServingError | None:
        (status,) = self.manager.servables.statuses("m", version)
        return status.error

    def _trim_memory(self) -> None:
        if self.trim_fails:
            raise RuntimeError("trim failed")
        self.trim_count += 1

    def _load(self, directory: Path) -> Predictor:
        self.load_attempts.append(directory.name)
        if directory.name in self.load_errors:
            raise self.load_errors[directory.name]
        self.servables.append(FakeServable(directory))
        return Predictor(self.servables[-1])
