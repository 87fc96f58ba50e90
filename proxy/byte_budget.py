"""Limits the bytes of uploads that one process holds in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from proxy.errors import Overloaded

MAX_EXEMPT_BYTES: Final = 256 * 1024
"""Uploads up to this size are always accepted, so that a few large, slow uploads can't block all other clients."""


class ByteBudget:
    """Shared by all uploads: a hundred concurrent uploads of 20 MB each would occupy 2 GB."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used = 0

    @contextmanager
    def upload(self) -> Iterator["Upload"]:
        """Yield an upload whose bytes are released when the context ends."""
        upload = Upload(self)
        try:
            yield upload
        finally:
            upload.release()


class Upload:
    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.size = 0

    def reserve(self, count: int) -> None:
        """Raises `Overloaded`. A small upload, or the only one, is never refused here; `Limits` bounds its size."""
        budget = self._budget
        is_only = budget.used == self.size
        is_small = self.size + count <= MAX_EXEMPT_BYTES
        if not (is_only or is_small) and budget.used + count > budget.max_bytes:
            raise Overloaded(
                f"the limit of {budget.max_bytes} bytes for concurrent uploads is reached: try again in a moment"
            )
        budget.used += count
        self.size += count

    def release(self) -> None:
        self._budget.used -= self.size
        self.size = 0
