"""Limits the bytes of uploads that one process holds in memory."""

from typing import Final

from proxy.errors import Overloaded

MAX_SMALL_BYTES: Final = 1024 * 1024
"""Uploads up to this size may use the whole budget. A photograph that a browser scaled down has a third of it."""
RESERVE: Final = 0.25
"""The part of the budget that only small uploads may use, so that large ones cannot block them."""


class ByteBudget:
    """Shared by all uploads: a hundred concurrent uploads of 20 MB each would occupy 2 GB."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used = 0

    @property
    def refusal(self) -> Overloaded:
        return Overloaded(
            f"the limit of {self.max_bytes} bytes for concurrent uploads is reached: try again in a moment"
        )


class Upload:
    """The bytes that one request holds, counted as they arrive."""

    __slots__ = ("budget", "declared_bytes", "is_refused", "size")

    def __init__(self, budget: ByteBudget, declared_bytes: int = 0) -> None:
        self.budget = budget
        self.declared_bytes = declared_bytes
        """The request's `Content-Length`; 0 if it is unknown."""
        self.size = 0
        self.is_refused = False
        """The budget had no room for a part of this upload."""

    def reserve(self, count: int) -> bool:
        """Return False if the budget has no room. The only upload always fits: it has a limit of its own."""
        budget = self.budget
        is_only = budget.used == self.size
        is_small = max(self.declared_bytes, self.size + count) <= MAX_SMALL_BYTES
        available = budget.max_bytes if is_small else budget.max_bytes * (1 - RESERVE)
        if self.is_refused or (not is_only and budget.used + count > available):
            self.is_refused = True
            return False
        budget.used += count
        self.size += count
        return True

    def close(self) -> None:
        """Release the bytes, and refuse those that still arrive."""
        self.is_refused = True
        self.release()

    def release(self) -> None:
        self.budget.used -= self.size
        self.size = 0
