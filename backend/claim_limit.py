"""Limits the jobs and bytes of a claim."""

from dataclasses import dataclass, field
from typing import Final

MIN_SHARE: Final = 1 / 16


@dataclass(slots=True)
class ClaimLimit:
    """At first `max_jobs` and `max_bytes`, a quarter after each claim whose reply was lost, and then slowly more again.

    A claim whose reply cannot arrive before the timeout would cost all its jobs an attempt, again and again.
    """

    max_jobs: int
    max_bytes: int
    _share: float = field(default=1.0, init=False)

    @property
    def jobs(self) -> int:
        return max(1, int(self.max_jobs * self._share))

    @property
    def bytes(self) -> int:
        return int(self.max_bytes * self._share)

    def shrink(self) -> None:
        self._share = max(MIN_SHARE, self._share / 4)

    def grow(self) -> None:
        self._share = min(1.0, self._share * 2)
