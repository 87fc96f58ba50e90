import pytest
from limits import parse

from proxy import rate_limits
from proxy.errors import RateExceeded
from proxy.rate_limits import RateLimits


def allowed(limits: RateLimits, client: str, rate: str, count: int) -> int:
    """Return how many of `count` requests are allowed."""
    refused = 0
    for _ in range(count):
        try:
            limits.check(client, parse(rate))
        except RateExceeded:
            refused += 1
    return count - refused


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("proxy.rate_limits.time.time", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("rate", "processes", "expected"), [("10/minute", 1, 10), ("10/minute", 4, 2), ("2/minute", 4, 1)]
)
def test_each_process_allows_its_share(rate: str, processes: int, expected: int, clock: list[float]) -> None:
    assert allowed(RateLimits(processes), "a", rate, 20) == expected


def test_clients_do_not_share_a_rate(clock: list[float]) -> None:
    limits = RateLimits(1)
    assert [allowed(limits, client, "3/second", 5) for client in ("a", "b")] == [3, 3]


def test_retry_after_is_when_requests_are_allowed_again(clock: list[float]) -> None:
    limits = RateLimits(1)
    limits.check("a", parse("1 per 10 seconds"))
    clock[0] += 2.5
    with pytest.raises(RateExceeded) as caught:
        limits.check("a", parse("1 per 10 seconds"))
    assert caught.value.headers["Retry-After"] == "8"
    clock[0] += 8
    limits.check("a", parse("1 per 10 seconds"))


def test_windows_that_have_expired_take_no_memory(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MIN_PURGED", 10)
    limits = RateLimits(1)
    for number in range(1000):
        limits.check(str(number), parse("1/second"))
        clock[0] += 0.1
    assert limits._windows.reset() <= 30
