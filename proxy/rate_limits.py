"""Limits how many requests a client may send per time, in windows of fixed length.

Each process counts for itself, in memory, and allows its share of the rate.
"""

import math
import time
from functools import lru_cache
from typing import Annotated, Final

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from pydantic import BeforeValidator, InstanceOf

from proxy.errors import RateExceeded

MIN_PURGED: Final = 1_000
"""Windows that are kept before expired ones are removed."""


def _parse_rate(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return parse(text)
    except ValueError:
        raise ValueError("not a rate like 10/second, 100/minute or 1000 per 2 hours") from None


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
                retry_after_s=max(1, math.ceil(reset_time - time.time())),
                limit=share.amount,
                window_s=share.get_expiry(),
            )

    def _divide(self, rate: RateLimitItem) -> RateLimitItem:
        return type(rate)(max(1, rate.amount // self._processes), rate.multiples)


class _Windows(Storage):
    """Counters that expire.

    The package's own storage in memory searches all counters for expired ones in a thread, up to a hundred times a
    second. That is too often for as many clients as there are addresses.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, float]] = {}
        self._max_windows = MIN_PURGED

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.time()
        count, end = self._windows.get(key, (0, 0.0))
        if end <= now:
            count, end = 0, now + expiry
            self._purge(now)
        self._windows[key] = (count + amount, end)
        return count + amount

    def get(self, key: str) -> int:
        count, end = self._windows.get(key, (0, 0.0))
        return count if end > time.time() else 0

    def get_expiry(self, key: str) -> float:
        return self._windows[key][1] if key in self._windows else time.time()

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _purge(self, now: float) -> None:
        """Remove expired windows whenever the number of all has doubled, so that each costs a constant time."""
        if len(self._windows) >= self._max_windows:
            self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
            self._max_windows = max(MIN_PURGED, 2 * len(self._windows))
