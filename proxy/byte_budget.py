"""How many bytes of uploads one process holds at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from proxy.errors import Overloaded

ALWAYS_TAKEN: Final = 256 * 1024
"""So that a few that send large bodies slowly don't shut everybody out."""


class ByteBudget:
    """Requests may be many or large, but not both: a hundred uploads of 20 MB that wait would be 2 GB."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    @contextmanager
    def upload(self) -> Iterator["Upload"]:
        """What it takes while the context lasts is free again after it."""
        upload = Upload(self)
        try:
            yield upload
        finally:
            self.held -= upload.size


class Upload:
    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.size = 0

    def take(self, count: int) -> None:
        """Raises `Overloaded`. One that is small or alone is never refused: other limits hold for those."""
        budget = self._budget
        is_alone = budget.held == self.size
        is_small = self.size + count <= ALWAYS_TAKEN
        if not (is_alone or is_small) and budget.held + count > budget.most:
            raise Overloaded(f"uploads of {budget.most} bytes are at work already: try again in a moment")
        budget.held += count
        self.size += count

    def release(self) -> None:
        """What was taken was thrown away."""
        self._budget.held -= self.size
        self.size = 0
