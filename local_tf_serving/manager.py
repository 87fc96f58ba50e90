"""Keeps the newest version of a model available: polls its base path; loads, swaps and unloads versions.

The rules are TensorFlow Serving's: version policy latest(1), and AvailabilityPreservingPolicy, which unloads the old
version only when the new one is available. Everything runs in the thread that calls `run`, so no lock is needed.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import service_log
from local_tf_serving import memory, versions
from local_tf_serving.errors import Cancelled, Code, ServingError
from local_tf_serving.predictor import Predictor
from local_tf_serving.servables import Servables, State, Version


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """The defaults are TensorFlow Serving's (model_servers/server.h)."""

    interval: timedelta = timedelta(seconds=1)
    """Time between polls of the base path. Zero: poll once; negative: never poll."""
    max_load_retries: int = 5
    load_retry_interval: timedelta = timedelta(seconds=60)


@dataclass(slots=True)
class _PendingLoad:
    failures: int = 0
    next_attempt_at: float = 0
    last_error: ServingError = field(default_factory=lambda: Cancelled("The load was cancelled before it started."))


class Manager:
    def __init__(
        self,
        model_name: str,
        base_path: Path,
        load: Callable[[Path], Predictor],
        *,
        on_load_result: Callable[[Version], None] = lambda _: None,
        policy: PollPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        trim_memory: Callable[[], None] = memory.trim,
    ) -> None:
        """`load` loads and warms up the version in a directory, or raises ServingError.

        `on_load_result` is called, in the manager's thread, with each version that becomes AVAILABLE and each that
        fails its last load attempt. `clock` returns seconds.
        """
        self._wake = threading.Event()
        self.servables = Servables(model_name, on_idle=self._wake.set)
        self._base_path = base_path
        self._load = load
        self._on_load_result = on_load_result
        self._policy = policy or PollPolicy()
        self._clock = clock
        self._trim_memory = trim_memory
        self._stopping = False
        self._next_poll: float | None = None if self._policy.interval < timedelta() else 0
        self._desired: frozenset[int] = frozenset()
        self._pending: dict[int, _PendingLoad] = {}

    def run(self) -> None:
        """Return after `stop`. Loaded versions stay loaded."""
        while not self._stopping:
            try:
                self.tick()
            except Exception:  # if this thread ended, the server would never load a version again
                service_log.get_logger().exception("manager failed")
            self._wake.wait(self._seconds_until_next_tick())
            self._wake.clear()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def tick(self) -> None:
        """Poll the base path if it is time to, then load and unload what is due."""
        now = self._clock()
        if self._next_poll is not None and now >= self._next_poll:
            interval = self._policy.interval.total_seconds()
            self._next_poll = now + interval if interval else None
            self._poll()
        while not self._stopping and (self._unload_idle_version() or self._retire_version() or self._load_version()):
            pass

    def _seconds_until_next_tick(self) -> float | None:
        times = [pending.next_attempt_at for pending in self._pending.values()]
        if self._next_poll is not None:
            times.append(self._next_poll)
        return max(0, min(times) - self._clock()) if times else None

    def _poll(self) -> None:
        try:
            found = versions.find(self._base_path)
        except OSError as error:  # nothing is unloaded: the path may be back at the next poll
            service_log.get_logger().error("base path unreadable", path=str(self._base_path), error=str(error))
            return
        if not found:
            service_log.get_logger().warning(
                "no version found", path=str(self._base_path), hint="a version is a directory named by a number"
            )
        self._set_desired({max(found): found[max(found)]} if found else {})

    def _set_desired(self, directories: dict[int, Path]) -> None:
        states = {version.number: version.state for version in self.servables.snapshot()}
        for number in self._pending.keys() - directories.keys():
            self._abandon_load(number, self._pending[number].last_error)
        accepted = set()
        for number, directory in directories.items():
            if states.get(number) is State.UNLOADING:
                continue  # a later poll adds it again, once it is unloaded
            accepted.add(number)
            if number not in self._desired and states.get(number) in (None, State.END):
                self.servables.add(number, directory)
                self._pending[number] = _PendingLoad()
        self._desired = frozenset(accepted)

    def _unload_idle_version(self) -> bool:
        for version in self.servables.snapshot():
            if version.state is State.UNLOADING and not version.users and version.predictor:
                try:
                    version.predictor.close()
                    service_log.get_logger().info("version unloaded", version=version.number)
                except Exception:  # not retried: it may be half closed
                    service_log.get_logger().exception("version unload failed", version=version.number)
                self.servables.set_state(version.number, State.END)
                self._trim_memory()
                return True
        return False

    def _retire_version(self) -> bool:
        """Retire the lowest undesired version, except the last available one while a desired one is still loading."""
        available = {
            version.number: version for version in self.servables.snapshot() if version.state is State.AVAILABLE
        }
        undesired = sorted(available.keys() - self._desired)
        if not undesired or (self._desired and not available.keys() & self._desired and len(undesired) == 1):
            return False
        retired = available[undesired[0]]
        service_log.get_logger().info("version unloading", version=retired.number)
        self.servables.set_state(retired.number, State.UNLOADING, predictor=retired.predictor)
        return True

    def _load_version(self) -> bool:
        now = self._clock()
        due = [number for number, pending in self._pending.items() if pending.next_attempt_at <= now]
        if not due:
            return False
        number = max(due)
        version = self.servables.set_state(number, State.LOADING)
        service_log.get_logger().info("version loading", version=number, path=str(version.directory))
        try:
            predictor = self._load(version.directory)
        except ServingError as error:
            self._load_failed(number, error.code, error.message)
        except Exception as error:  # a broken model may raise anything, and the available version must keep serving
            self._load_failed(number, Code.UNKNOWN, repr(error))
        else:
            del self._pending[number]
            seconds = round(self._clock() - now, 3)
            service_log.get_logger().info("version available", version=number, seconds=seconds)
            self._on_load_result(self.servables.set_state(number, State.AVAILABLE, predictor=predictor))
        self._trim_memory()
        return True

    def _load_failed(self, number: int, code: Code, message: str) -> None:
        error = ServingError(code, message)  # a new one: the frames of the traceback would keep the model in memory
        pending = self._pending[number]
        pending.failures += 1
        service_log.get_logger().error(
            "version load failed", version=number, code=code.name, error=message, attempts=pending.failures
        )
        if pending.failures > self._policy.max_load_retries:
            self._on_load_result(self._abandon_load(number, error))
        else:
            pending.next_attempt_at = self._clock() + self._policy.load_retry_interval.total_seconds()
            pending.last_error = error

    def _abandon_load(self, number: int, error: ServingError) -> Version:
        """End the version with its last error. It loads again only if its directory is removed and added again."""
        del self._pending[number]
        return self.servables.set_state(number, State.END, error=error)
