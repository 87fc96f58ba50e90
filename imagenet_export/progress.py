"""What an export says while it works: a moving line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Progress:
    def __init__(self, model: str, console: Console | None = None) -> None:
        self._model = model
        self._console = console or Console(highlight=False)

    def say(self, line: str, *, style: str = "") -> None:
        self._console.print(Text(f"{self._model}: {line}", style=style), soft_wrap=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        if not self._console.is_terminal:
            self.say(doing)
            yield
            return
        started = time.monotonic()
        with self._console.status(Text(f"{self._model}: {doing}")):
            yield
        self.say(f"{doing} ({time.monotonic() - started:.1f} s)")
