"""Keeps the newest version of a model available: watches its base path, loads, swaps, unloads.

The rules are TensorFlow Serving's: version policy latest(1), and AvailabilityPreservingPolicy, which unloads an old
version only when the new one answers. All of it happens in the one thread that calls `run`, and so without a lock.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from local_tf_serving import memory, versions
from local_tf_serving.errors import Cancelled, Code, ServingError
from local_tf_serving.predictor import Predictor
from local_tf_serving.servables import Servables, State, Version


@dataclass(frozen=True)
class Pace:
    """Defaults: model_servers/server.h."""

    poll_seconds: float = 1
    """Between two looks at the base path; 0 looks once, less than 0 never."""
    max_load_retries: int = 5
    load_retry_seconds: float = 60


@dataclass
class _Attempt:
    """A version that is wanted and not loaded yet."""

    failures: int = 0
    due: float = 0
    last_error: ServingError = field(default_factory=lambda: Cancelled("Load cancelled before it was tried."))


class Manager:
    def __init__(
        self,
        model_name: str,
        base_path: Path,
        load: Callable[[Path], Predictor],
        *,
        log: FilteringBoundLogger,
        on_outcome: Callable[[Version], None] = lambda _: None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        trim_memory: Callable[[], None] = memory.trim,
    ) -> None:
        """`load` turns a version's directory into something that answers, warmed up; it raises ServingError.

        `on_outcome` is told, in the manager's thread, of every version that has become AVAILABLE and of every one given
        up after its last try. `clock` gives seconds.
        """
        self._wake = threading.Event()
        self.servables = Servables(model_name, on_idle=self._wake.set)
        self._base_path = base_path
        self._load = load
        self._log = log
        self._on_outcome = on_outcome
        self._pace = pace or Pace()
        self._clock = clock
        self._trim_memory = trim_memory
        self._stopping = False
        self._next_poll: float | None = None if self._pace.poll_seconds < 0 else 0
        self._wanted: frozenset[int] = frozenset()
        self._attempts: dict[int, _Attempt] = {}

    def run(self) -> None:
        """Work until `stop` is called. What is loaded stays loaded."""
        while not self._stopping:
            try:
                self.tick()
            except Exception:  # a thread that ended here would leave a server that never swaps again
                self._log.exception("manager failed, and goes on")
            self._wake.wait(self._seconds_to_next())
            self._wake.clear()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def tick(self) -> None:
        """Look at the base path if it is time to, then do all there is to do now."""
        now = self._clock()
        if self._next_poll is not None and now >= self._next_poll:
            self._next_poll = now + self._pace.poll_seconds if self._pace.poll_seconds else None
            self._poll()
        while not self._stopping and (self._finish_unloading() or self._start_unloading() or self._try_loading()):
            pass

    def _seconds_to_next(self) -> float | None:
        dues = [attempt.due for attempt in self._attempts.values()]
        if self._next_poll is not None:
            dues.append(self._next_poll)
        return max(0, min(dues) - self._clock()) if dues else None

    def _poll(self) -> None:
        try:
            found = versions.find(self._base_path)
        except OSError as error:  # a path that is away for a moment unloads nothing
            self._log.error("base path unreadable", path=str(self._base_path), error=str(error))
            return
        if not found:
            self._log.warning(
                "no versions", path=str(self._base_path), hint="a version's directory is named by a number"
            )
        self._want({max(found): found[max(found)]} if found else {})

    def _want(self, wanted: dict[int, Path]) -> None:
        states = {version.number: version.state for version in self.servables.snapshot()}
        for number in self._attempts.keys() - wanted.keys():
            self._give_up(number, self._attempts[number].last_error)
        accepted = set()
        for number, directory in wanted.items():
            if states.get(number) is State.UNLOADING:
                continue  # wanted again before it was gone: its new life starts at a later look
            accepted.add(number)
            if number not in self._wanted and states.get(number) in (None, State.END):
                self.servables.add(number, directory)
                self._attempts[number] = _Attempt()
        self._wanted = frozenset(accepted)

    def _finish_unloading(self) -> bool:
        for version in self.servables.snapshot():
            if version.state is State.UNLOADING and not version.users and version.predictor:
                try:
                    version.predictor.close()
                    self._log.info("unloaded", version=version.number)
                except Exception:  # there is no second try: nobody knows what is left of it
                    self._log.exception("unload failed", version=version.number)
                self.servables.set_state(version.number, State.END)
                self._trim_memory()
                return True
        return False

    def _start_unloading(self) -> bool:
        """Retire the lowest unwanted version, unless it is the last that answers while a wanted one is on its way."""
        available = {
            version.number: version for version in self.servables.snapshot() if version.state is State.AVAILABLE
        }
        unwanted = sorted(available.keys() - self._wanted)
        if not unwanted or (self._wanted and not available.keys() & self._wanted and len(unwanted) == 1):
            return False
        retired = available[unwanted[0]]
        self._log.info("unloading", version=retired.number)
        self.servables.set_state(retired.number, State.UNLOADING, predictor=retired.predictor)
        return True

    def _try_loading(self) -> bool:
        now = self._clock()
        due = [number for number, attempt in self._attempts.items() if attempt.due <= now]
        if not due:
            return False
        number = max(due)
        version = self.servables.set_state(number, State.LOADING)
        self._log.info("loading", version=number, path=str(version.directory))
        try:
            predictor = self._load(version.directory)
        except ServingError as error:
            self._load_failed(number, error.code, error.message)
        except Exception as error:  # whatever a broken model raises, the version that answers goes on
            self._load_failed(number, Code.UNKNOWN, repr(error))
        else:
            del self._attempts[number]
            self._log.info("available", version=number, seconds=round(self._clock() - now, 3))
            self._on_outcome(self.servables.set_state(number, State.AVAILABLE, predictor=predictor))
        self._trim_memory()
        return True

    def _load_failed(self, number: int, code: Code, message: str) -> None:
        error = ServingError(code, message)  # anew, without the traceback: its frames would keep the model in memory
        attempt = self._attempts[number]
        attempt.failures += 1
        self._log.error(
            "load failed", version=number, code=error.code.name, error=error.message, tries=attempt.failures
        )
        if attempt.failures > self._pace.max_load_retries:
            self._on_outcome(self._give_up(number, error))
        else:
            attempt.due = self._clock() + self._pace.load_retry_seconds
            attempt.last_error = error

    def _give_up(self, number: int, error: ServingError) -> Version:
        """The version ends with its last error, and is tried again only after its directory was gone and came back."""
        del self._attempts[number]
        return self.servables.set_state(number, State.END, error=error)
