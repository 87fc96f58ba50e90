"""What every measure needs: how much to do, what to post, where to write, and a way to say what happens."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.effort import Effort
from bench.photographs import Photograph
from bench.service import Kind, Service, serving


@dataclass
class Session:
    effort: Effort
    directory: Path
    small: Photograph
    large: Photograph
    tiny: Photograph
    models: Path | None
    """The exported models; None where they are not to be measured."""
    console: Console
    series: dict[str, Any] = field(default_factory=dict)
    """What the plots are drawn from: all runs, not only their spread."""
    _began: float = field(default_factory=time.monotonic)
    _started: int = 0
    _shared: dict[Kind, Service] = field(default_factory=dict)
    _ends: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def fresh(self, kind: Kind) -> Iterator[Service]:
        """A service of a measure's own."""
        self._started += 1
        with serving(kind, self.directory / f"service-{self._started}") as service:
            yield service

    def shared(self, kind: Kind) -> Service:
        """A service that other measures use, too, one after the other: empty when it is given, and idle."""
        if any(other.models != kind.models for other in self._shared):
            self.close()
        if kind not in self._shared:
            self._shared[kind] = self._ends.enter_context(self.fresh(kind))
        service = self._shared[kind]
        service.empty()
        return service

    def close(self) -> None:
        self._shared.clear()
        self._ends.close()

    def say(self, what: str) -> None:
        self.console.print(f"bench: {time.monotonic() - self._began:4.0f} s  {what}", highlight=False)
