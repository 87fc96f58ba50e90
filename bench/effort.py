"""How much is done for each measure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Effort:
    name: str
    rounds: int
    """Runs of each measure, A B A B …"""
    seconds: float
    """Of one run of a load generator."""
    clients: tuple[int, ...]
    posts: int
    """Posts, one after the other, where each is timed by itself."""
    requests: tuple[int, int]
    """After so many, and then after so many, the processes are weighed."""
    waiting: int
    """Jobs that wait while one more is submitted."""
    behind: int
    """Jobs behind the fast path."""


FULL: Final = Effort("full", 5, 2.0, (1, 4, 16, 64), 150, (5_000, 20_000), 100_000, 1_000)
QUICK: Final = Effort("quick", 2, 1.0, (1, 16), 25, (500, 2_000), 20_000, 1_000)
SMALLEST: Final = Effort("smallest", 1, 0.2, (1,), 5, (20, 40), 50, 10)
"""For the tests: whether each measure is taken, not what it says."""
