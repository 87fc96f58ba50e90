"""A run of the benchmark: its profile, the images to post, the running services, and the results."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.photographs import Photograph
from bench.profile import Profile
from bench.service import Service, ServiceOptions, local_service


@dataclass(slots=True)
class Session:
    profile: Profile
    directory: Path
    small: Photograph
    large: Photograph
    tiny: Photograph
    models: Path | None
    """The exported models. None: the measures that need them are skipped."""
    console: Console
    series: dict[str, Any] = field(default_factory=dict)
    """The results of all runs, for the plots."""
    _started_at: float = field(default_factory=time.monotonic)
    _service_count: int = 0
    _shared: dict[ServiceOptions, Service] = field(default_factory=dict)
    _cleanup: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def own_service(self, options: ServiceOptions) -> Iterator[Service]:
        """A newly started service, which no other measure uses."""
        self._service_count += 1
        with local_service(options, self.directory / f"service-{self._service_count}") as service:
            yield service

    def shared_service(self, options: ServiceOptions) -> Service:
        """Return a service that successive measures share. It has no jobs when it is returned."""
        if any(other.models != options.models for other in self._shared):
            self.close()
        if options not in self._shared:
            self._shared[options] = self._cleanup.enter_context(self.own_service(options))
        service = self._shared[options]
        service.clear()
        return service

    def close(self) -> None:
        self._shared.clear()
        self._cleanup.close()

    def log(self, text: str) -> None:
        self.console.print(f"bench: {time.monotonic() - self._started_at:4.0f} s  {text}", highlight=False)
