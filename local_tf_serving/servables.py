"""The versions of one model: the state of each, and who uses it now. Safe to use from any thread."""

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

    START = 10  # known, not touched yet
    LOADING = 20  # loading or warming up, or waiting for the next try
    AVAILABLE = 30  # answers requests
    UNLOADING = 40  # answers those it has, gets no new ones
    END = 50  # unloaded, or given up after the error it keeps


@dataclass
class Version:
    number: int
    directory: Path
    state: State = State.START
    error: ServingError | None = None
    predictor: Predictor | None = None
    """What answers; there from AVAILABLE to the end of UNLOADING."""
    users: int = 0
    """Requests that run on it now."""


class Servables:
    """Requests come in by `use` and `statuses`; everything else is the manager's, the only one who changes a state."""

    def __init__(self, model_name: str, on_idle: Callable[[], None]) -> None:
        """`on_idle` is called in the thread of the last user when an unloading version has no user left."""
        self._model_name = model_name
        self._on_idle = on_idle
        self._lock = threading.Lock()
        self._versions: dict[int, Version] = {}

    @contextmanager
    def use(self, model_name: str, number: int | None) -> Iterator[tuple[int, Predictor]]:
        """Version `number`, or the newest available one; it stays loaded as long as it is in use.

        Raises NotFound, the same for a wrong name and for nothing available.
        """
        with self._lock:
            version = self._choose(model_name, number)
            version.users += 1
        assert version.predictor is not None  # noqa: S101 - AVAILABLE has one
        try:
            yield version.number, version.predictor
        finally:
            with self._lock:
                version.users -= 1
                idle = version.state is State.UNLOADING and not version.users
            if idle:
                self._on_idle()

    def statuses(self, model_name: str, number: int | None) -> list[Version]:
        """What is known of version `number`, or of all, newest first, those unloaded long ago too.

        Raises NotFound.
        """
        known = self.snapshot() if model_name == self._model_name else []
        if number is None:
            if not known:
                raise NotFound(f"Could not find any versions of model {model_name}")
            return known
        if chosen := [version for version in known if version.number == number]:
            return chosen
        raise NotFound(f"Could not find version {number} of model {model_name}")

    def snapshot(self) -> list[Version]:
        """A copy of every version, newest first."""
        with self._lock:
            return [replace(self._versions[number]) for number in sorted(self._versions, reverse=True)]

    def add(self, number: int, directory: Path) -> None:
        """Start the life of a version, or a new life of one that ended."""
        with self._lock:
            self._versions[number] = Version(number, directory)

    def set_state(
        self, number: int, state: State, *, error: ServingError | None = None, predictor: Predictor | None = None
    ) -> Version:
        """Returns a copy of what the version is now. From UNLOADING on nobody new can use it."""
        with self._lock:
            version = self._versions[number]
            version.state, version.error, version.predictor = state, error, predictor
            return replace(version)

    def _choose(self, model_name: str, number: int | None) -> Version:
        if model_name == self._model_name:
            wanted = sorted(self._versions, reverse=True) if number is None else [number]
            for candidate in wanted:
                version = self._versions.get(candidate)
                if version and version.state is State.AVAILABLE:
                    return version
        request = f"Latest({model_name})" if number is None else f"Specific({model_name}, {number})"
        raise NotFound(f"Servable not found for request: {request}")
