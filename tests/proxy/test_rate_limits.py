import pytest
from limits import parse
from pydantic import TypeAdapter, ValidationError

from proxy import rate_limits
from proxy.errors import RateExceeded
from proxy.rate_limits import Rate, RateLimits


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
    monkeypatch.setattr("proxy.rate_limits.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("rate", "processes", "expected"), [("10/minute", 1, 10), ("10/minute", 4, 3), ("2/minute", 4, 1)]
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


def test_a_change_of_the_wall_clock_changes_no_rate(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    limits = RateLimits(1)
    limits.check("a", parse("1/second"))
    for wall_clock in (0.0, 1e10):
        monkeypatch.setattr("proxy.rate_limits.time.time", lambda now=wall_clock: now)
        with pytest.raises(RateExceeded) as caught:
            limits.check("a", parse("1/second"))
        assert caught.value.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10/second;1000/day", "only one rate"),
        ("10/second, 10/second", "only one rate"),
        ("0/second", "at least 1"),
        ("10/0 seconds", "at least 1"),
        ("10 per 00 seconds", "at least 1"),
        ("often", "10/second, 100/minute or 1000 per 2 hours"),
    ],
)
def test_a_rate_that_would_not_be_kept_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=f"not a rate like .*{reason}"):
        TypeAdapter(Rate).validate_python(text)


def test_windows_that_have_expired_take_no_memory(clock: list[float]) -> None:
    limits = RateLimits(1)
    for number in range(1000):
        limits.check(str(number), parse("1/second"))
        clock[0] += 0.1
    assert limits._windows.reset() <= 30


def test_the_oldest_of_too_many_windows_is_forgotten(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MAX_WINDOWS", 10)
    limits = RateLimits(1)
    for number in range(1000):
        limits.check(str(number), parse("1/day"))
    assert [allowed(limits, client, "1/day", 1) for client in ("999", "990", "0")] == [0, 0, 1]
    assert limits._windows.reset() == 10


def test_a_client_with_a_new_window_is_not_the_oldest(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MAX_WINDOWS", 3)
    limits = RateLimits(1)
    limits.check("long", parse("1/day"))
    limits.check("renewed", parse("1/second"))
    limits.check("other", parse("1/day"))
    clock[0] += 2
    limits.check("renewed", parse("1/second"))
    for client in ("new", "newer"):
        limits.check(client, parse("1/day"))
    assert allowed(limits, "renewed", "1/second", 1) == 0
