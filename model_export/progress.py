"""Prints the steps of an export: with a spinner on a terminal, as plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Progress:
    def __init__(self, model: str, console: Console | None = None) -> None:
        self._model = model
        self._console = console or Console(highlight=False)

    def print(self, line: str) -> None:
        self._console.print(Text(f"{self._model}: {line}"), soft_wrap=True)

    @contextmanager
    def step(self, description: str) -> Iterator[None]:
        if not self._console.is_terminal:
            self.print(description)
            yield
            return
        started = time.monotonic()
        with self._console.status(Text(f"{self._model}: {description}")):
            yield
        self.print(f"{description} ({time.monotonic() - started:.1f} s)")
