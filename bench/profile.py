"""How many runs, posts and jobs each measure takes."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    rounds: int
    """Runs of each measure, A B A B …"""
    seconds: float
    """Duration of one run of a load generator."""
    clients: tuple[int, ...]
    posts: int
    """Posts in a run that times each of them, one after the other."""
    request_counts: tuple[int, int]
    """Memory is measured after the first and after the second number of requests."""
    submit_backlog: int
    """Jobs that are queued while the measure submits more."""
    fast_path_backlog: int
    """Jobs that are queued while the measure times the fast answer."""


FULL: Final = Profile("full", 5, 2.0, (1, 4, 16, 64), 150, (5_000, 20_000), 100_000, 1_000)
QUICK: Final = Profile("quick", 2, 1.0, (1, 16), 25, (500, 2_000), 20_000, 1_000)
SMALLEST: Final = Profile("smallest", 1, 0.2, (1,), 5, (20, 40), 50, 10)
"""For the tests, which check that each measure is taken. The measured values are meaningless."""
