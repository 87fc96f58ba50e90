"""What every measure needs: how much to do, what to post, where to write, and a way to say what happens."""

from collections.abc import Iterator
from contextlib import contextmanager
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
    _started: int = 0

    @contextmanager
    def serving(self, kind: Kind) -> Iterator[Service]:
        self._started += 1
        with serving(kind, self.directory / f"service-{self._started}") as service:
            yield service

    def say(self, what: str) -> None:
        self.console.print(f"bench: {what}", highlight=False)
