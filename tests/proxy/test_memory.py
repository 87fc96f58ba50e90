"""The warning about a container with too little memory."""

from pathlib import Path

import pytest

from proxy.memory import max_memory, warn_if_too_little
from proxy.settings import Settings

COMPOSE_LIMIT = 1664 * 1024 * 1024


def test_the_default_limits_fit_into_the_memory_that_compose_gives() -> None:
    assert max_memory(Settings()) < COMPOSE_LIMIT


@pytest.mark.parametrize(("workers", "decoders"), [(1, 2), (2, 1), (4, 1)])
def test_the_limits_are_divided_by_the_number_of_processes(workers: int, decoders: int) -> None:
    settings = Settings(workers=workers, max_connections=1000, max_bytes_in_flight=1000)
    assert settings.decoders == decoders
    assert settings.http_limits.max_connections == 1000 // workers
    assert settings.max_bytes_in_flight_per_process == 1000 // workers


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("limit", "warnings"),
    [("max\n", 0), (f"{COMPOSE_LIMIT}\n", 0), ("1000000000\n", 1), (f"{2**63 - 4096}\n", 0), (None, 0)],
)
def test_a_container_with_too_little_memory_is_a_warning(
    file: str, limit: str | None, warnings: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if limit is not None:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(limit)
    warn_if_too_little(Settings(), tmp_path)
    assert capsys.readouterr().out.count("memory limit low") == warnings
