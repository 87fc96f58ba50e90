"""Tracks the state of each version of one model and the requests that use it. Thread-safe."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from local_tf_serving.errors import NotFound, ServingError
from local_tf_serving.predictor import Predictor


class State(IntEnum):
    """ModelVersionStatus.State (apis/get_model_status.proto), with its numbers."""

    START = 10  # found in the base path
    LOADING = 20  # loading, warming up, or waiting for the next attempt
    AVAILABLE = 30  # serves requests
    UNLOADING = 40  # finishes its running requests and takes no new ones
    END = 50  # unloaded, or failed to load


@dataclass(slots=True)
class Version:
    number: int
    directory: Path
    state: State = State.START
    error: ServingError | None = None
    predictor: Predictor | None = None
    """Set in AVAILABLE and UNLOADING."""
    users: int = 0
    """Number of running requests."""


class Servables:
    """Requests use `servable_handle` and `statuses`. Only the manager calls the other methods and changes a state."""

    def __init__(self, model_name: str, on_idle: Callable[[], None]) -> None:
        """`on_idle` is called when the last request of an unloading version ends, in the thread of that request."""
        self._model_name = model_name
        self._on_idle = on_idle
        self._lock = threading.Lock()
        self._versions: dict[int, Version] = {}

    @contextmanager
    def servable_handle(self, model_name: str, number: int | None) -> Iterator[tuple[int, Predictor]]:
        """Keep version `number`, or the newest available one, loaded during the block.

        Yields its number and its predictor. Raises NotFound if the model or the version is not available.
        """
        with self._lock:
            version = self._find_available(model_name, number)
            version.users += 1
        assert version.predictor is not None  # noqa: S101 (set in AVAILABLE)
        try:
            yield version.number, version.predictor
        finally:
            with self._lock:
                version.users -= 1
                idle = version.state is State.UNLOADING and not version.users
            if idle:
                self._on_idle()

    def statuses(self, model_name: str, number: int | None) -> list[Version]:
        """Version `number`, or all versions, newest first and unloaded ones included. Raises NotFound."""
        known = self.snapshot() if model_name == self._model_name else []
        if number is None:
            if not known:
                raise NotFound(f"Could not find any versions of model {model_name}")
            return known
        if chosen := [version for version in known if version.number == number]:
            return chosen
        raise NotFound(f"Could not find version {number} of model {model_name}")

    def snapshot(self) -> list[Version]:
        """Copies of all versions, newest first."""
        with self._lock:
            return [replace(self._versions[number]) for number in sorted(self._versions, reverse=True)]

    def add(self, number: int, directory: Path) -> None:
        """Add a version in START, or add it again after END."""
        with self._lock:
            self._versions[number] = Version(number, directory)

    def set_state(
        self, number: int, state: State, *, error: ServingError | None = None, predictor: Predictor | None = None
    ) -> Version:
        """Return a copy of the changed version."""
        with self._lock:
            version = self._versions[number]
            version.state, version.error, version.predictor = state, error, predictor
            return replace(version)

    def _find_available(self, model_name: str, number: int | None) -> Version:
        if model_name == self._model_name:
            candidates = sorted(self._versions, reverse=True) if number is None else [number]
            for candidate in candidates:
                version = self._versions.get(candidate)
                if version and version.state is State.AVAILABLE:
                    return version
        request = f"Latest({model_name})" if number is None else f"Specific({model_name}, {number})"
        raise NotFound(f"Servable not found for request: {request}")
