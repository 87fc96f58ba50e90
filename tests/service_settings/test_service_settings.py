"""What the environment may say, and the one line for what it may not."""

from datetime import timedelta
from pathlib import Path

import pytest

from backend.settings import Settings as Backend
from proxy.settings import Settings as Proxy
from service_settings import ServiceSettings


def fault(monkeypatch: pytest.MonkeyPatch, settings: type[ServiceSettings], variable: str, value: str) -> str:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        settings.from_environment("it")
    [line] = str(ended.value).splitlines()
    return line


@pytest.mark.parametrize("value", ["0", "-1", "0.0001", "nan", "inf", "soon"])
@pytest.mark.parametrize(
    ("settings", "variable"),
    [(Backend, "LEASE"), (Proxy, "QUEUE_TIMEOUT"), (ServiceSettings, "JOB_TTL"), (ServiceSettings, "PENDING_TTL")],
)
def test_a_time_that_makes_no_sense_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, settings: type[ServiceSettings], variable: str, value: str
) -> None:
    assert fault(monkeypatch, settings, variable, value).startswith(f"it: {variable}={value}: ")


def test_a_grace_may_be_none_but_not_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUTDOWN_GRACE", "0")
    assert Backend().shutdown_grace == timedelta(0)
    assert fault(monkeypatch, Backend, "SHUTDOWN_GRACE", "-1").startswith("it: SHUTDOWN_GRACE=-1: ")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "LEASE", "LOG_LEVEL", "HEALTH_SOCKET"):
        monkeypatch.setenv(name, "")
    assert Proxy().port == 8000
    assert Backend().health_socket is None


def test_a_level_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert ServiceSettings().log_level == "DEBUG"


@pytest.mark.parametrize("url", ["http://me:secret@redis:6379", "redis:6379", "redis://me:secret@redis:port"])
def test_what_is_no_redis_is_one_line_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    line = fault(monkeypatch, ServiceSettings, "REDIS_URL", url)
    assert line.startswith("it: REDIS_URL=")
    assert "secret" not in line


def test_labels_that_are_not_there_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = str(tmp_path / "labels.json")
    assert fault(monkeypatch, ServiceSettings, "LABELS", missing).startswith(f"it: LABELS={missing}: ")
