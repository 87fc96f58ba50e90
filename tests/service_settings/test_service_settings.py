"""Valid values are read from the environment; an invalid value exits with one line that names the variable."""

from datetime import timedelta
from pathlib import Path

import pytest

from backend.settings import Settings as Backend
from proxy.settings import Settings as Proxy
from service_settings import ServiceSettings


def error_line(monkeypatch: pytest.MonkeyPatch, settings: type[ServiceSettings], variable: str, value: str) -> str:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as exit_:
        settings.from_environment("process")
    [line] = str(exit_.value).splitlines()
    return line


@pytest.mark.parametrize("value", ["0", "-1", "0.0001", "nan", "inf", "soon"])
@pytest.mark.parametrize(
    ("settings", "variable"),
    [(Backend, "LEASE"), (Proxy, "QUEUE_TIMEOUT"), (ServiceSettings, "JOB_TTL"), (ServiceSettings, "PENDING_TTL")],
)
def test_an_invalid_duration_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, settings: type[ServiceSettings], variable: str, value: str
) -> None:
    assert error_line(monkeypatch, settings, variable, value).startswith(f"process: {variable}={value}: ")


def test_a_grace_period_may_be_zero_but_not_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUTDOWN_GRACE", "0")
    assert Backend().shutdown_grace == timedelta(0)
    assert error_line(monkeypatch, Backend, "SHUTDOWN_GRACE", "-1").startswith("process: SHUTDOWN_GRACE=-1: ")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "LEASE", "LOG_LEVEL", "HEALTH_SOCKET"):
        monkeypatch.setenv(name, "")
    assert Proxy().port == 8000
    assert Backend().health_socket is None


def test_a_log_level_may_be_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert ServiceSettings().log_level == "DEBUG"


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@redis:6379",
        "redis:6379",
        "redis://me:secret@redis:port",
        "redis://me:secret/cret@redis:6379",
        "redis://me:cret/secret@redis:6379/0",
        "redis://me:se@cret/secret@redis:6379",
        "redis://redis:port/0?password=secret&db=1",
    ],
)
def test_an_invalid_redis_url_is_reported_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    line = error_line(monkeypatch, ServiceSettings, "REDIS_URL", url)
    assert line.startswith("process: REDIS_URL=")
    assert "cret" not in line


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("unix:///tmp/redis.sock", "only redis://HOST:PORT/DB and, with TLS, rediss://HOST:PORT/DB are supported"),
        ("redis://redis?soket_timeout=5", "the option 'soket_timeout' is not supported"),
        ("redis://redis?decode_responses=yes", "only db and, with rediss://, ssl_… are"),
        ("redis://redis?ssl_cert_reqs=none", "the option 'ssl_cert_reqs' is not supported"),
        ("rediss://redis?ssl_unknown=1", "unexpected keyword argument 'ssl_unknown'"),
        ("rediss://redis?ssl_cert_reqs=some", "Invalid SSL Certificate Requirements Flag: some"),
        ("redis://redis?db=first", "not a URL like redis://user:password@host:6379/0"),
    ],
)
def test_a_redis_url_that_no_connection_can_be_made_of_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    assert reason in error_line(monkeypatch, ServiceSettings, "REDIS_URL", url)


@pytest.mark.parametrize(
    "url",
    ["redis://redis", "redis://me:secret@[::1]:6380/2", "redis://redis?db=2", "rediss://redis?ssl_cert_reqs=none"],
)
def test_a_valid_redis_url_is_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert ServiceSettings().redis_url == url


def test_a_missing_labels_file_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = str(tmp_path / "labels.json")
    assert error_line(monkeypatch, ServiceSettings, "LABELS", missing).startswith(f"process: LABELS={missing}: ")
