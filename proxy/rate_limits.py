"""Limits how many requests a client may send per time, in windows of fixed length.

Each process counts for itself, in memory, and allows its share of the rate.
"""

import math
import re
import time
from collections import OrderedDict
from functools import lru_cache
from typing import Annotated, Final

from limits import RateLimitItem, parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from pydantic import BeforeValidator, InstanceOf

from proxy.errors import RateExceeded

MAX_WINDOWS: Final = 50_000
"""Beyond them, the oldest window is forgotten: its client may start a new one. They take 13 MB."""


def _parse_rate(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        rates = parse_many(text)
    except ValueError:
        raise ValueError("not a rate like 10/second, 100/minute or 1000 per 2 hours") from None
    if len(rates) > 1:
        raise ValueError("not a rate like 10/second: only one rate is possible")
    if any(int(number) < 1 for number in re.findall("[0-9]+", text)):  # `parse_many` makes 1 of some zeros
        raise ValueError("not a rate like 10/second: its numbers must be at least 1")
    return rates[0]


Rate = Annotated[InstanceOf[RateLimitItem], BeforeValidator(_parse_rate)]
"""Written as the `limits` package does: `10/second`, `100 per 5 minutes`."""


class RateLimits:
    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._windows = _Windows()
        self._limiter = FixedWindowRateLimiter(self._windows)
        self._share = lru_cache(maxsize=1_000)(self._divide)

    def check(self, client: str, rate: RateLimitItem) -> None:
        """Count a request. Raises `RateExceeded`."""
        share = self._share(rate)
        if not self._limiter.hit(share, client):
            reset_time = self._limiter.get_window_stats(share, client).reset_time
            raise RateExceeded(
                f"the rate of requests is limited to {rate}: wait for as many seconds as Retry-After says",
                retry_after_s=max(1, math.ceil(reset_time - time.monotonic())),
                limit=share.amount,
                window_s=share.get_expiry(),
            )

    def _divide(self, rate: RateLimitItem) -> RateLimitItem:
        return type(rate)(math.ceil(rate.amount / self._processes), rate.multiples)


class _Windows(Storage):
    """Counters that expire, with times of the monotonic clock.

    The package's own storage in memory searches all counters for expired ones in a thread, up to a hundred times a
    second. That is too often for as many clients as there are addresses. Here, each new window removes at most two old
    ones, in constant time.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()  # a dict finds its first key in linear time
        """From the oldest to the newest."""

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.monotonic()
        count, end = self._windows.get(key, (0, 0.0))
        if end <= now:
            count, end = 0, now + expiry
            self._windows.pop(key, None)
            self._make_room(now)
        self._windows[key] = (count + amount, end)
        return count + amount

    def get(self, key: str) -> int:
        count, end = self._windows.get(key, (0, 0.0))
        return count if end > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        return self._windows[key][1] if key in self._windows else time.monotonic()

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _make_room(self, now: float) -> None:
        """Remove the two oldest windows if they have expired, and the oldest if there are too many."""
        for _ in range(2):
            if not self._windows:
                return
            oldest = next(iter(self._windows))
            if len(self._windows) < MAX_WINDOWS and self._windows[oldest][1] > now:
                return
            del self._windows[oldest]
