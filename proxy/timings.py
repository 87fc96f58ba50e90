"""Measures the steps of a request."""

import time
from typing import Final

PREDICT: Final = "predict"
"""The step that calls the fast model."""


class Timings:
    """The duration of each recorded step, in milliseconds and in order. The first step starts now."""

    __slots__ = ("_started", "_steps_ms")

    def __init__(self) -> None:
        self._steps_ms: dict[str, float] = {}
        self._started = time.perf_counter()

    def record(self, step: str) -> None:
        """End the current step under this name, and start the next one."""
        now = time.perf_counter()
        self._steps_ms[step] = round((now - self._started) * 1000, 1)
        self._started = now

    def server_timing(self, model: str) -> str:
        """Return the value of a `Server-Timing` header, which shows the predict step under the model's name."""
        return ", ".join(f"{model if step == PREDICT else step};dur={ms}" for step, ms in self._steps_ms.items())

    def log_fields(self) -> dict[str, float]:
        return {f"{step}_ms": ms for step, ms in self._steps_ms.items()}
