import json
from pathlib import Path

import pytest

from bench import report as reports
from bench.measures.backlog import SETTLING, rate
from bench.report import BEGIN, END, Report
from bench.row import Row, at_least, at_most
from bench.spread import Spread, interleaved
from bench.table import cells


def test_sides_take_turns() -> None:
    ran: list[str] = []
    runs = interleaved(3, {"A": lambda: ran.append("A"), "B": lambda: ran.append("B")})
    assert ran == ["A", "B"] * 3
    assert {side: len(found) for side, found in runs.items()} == {"A": 3, "B": 3}


def test_a_figure_is_reached_by_its_median() -> None:
    assert Row.of("latency", "ms", [9.0, 1.0, 1.1], at_most(1.2)).reached is True
    assert Row.of("throughput", "×", [0.4, 0.44, 0.9], at_least(0.45)).reached is False
    assert Row.of("of no matter", "ms", [1.0]).reached is None


def test_a_row_says_what_was_asked_measured_and_reached() -> None:
    row = Row.of("latency", "ms", [9.0, 1.0, 1.1], at_most(1.2))
    assert cells(row) == ("latency", "≤ 1.20 ms", "1.10 ms", "1.00 ms", "9.00 ms", "yes")
    assert json.loads(json.dumps(row.as_json()))["measured"] == {"minimum": 1.0, "median": 1.1, "maximum": 9.0}


def test_a_row_that_could_not_be_measured_says_why() -> None:
    row = Row("engines", "×", None, at_least(3), "there is one engine")
    assert cells(row) == ("engines", "≥ 3.00 ×", "there is one engine", "", "", "")
    assert row.reached is None


def test_a_spread_of_one_run_is_that_run() -> None:
    assert Spread.of([2.0]) == Spread(2.0, 2.0, 2.0)


def test_jobs_a_second_are_counted_from_the_end_of_one_burst_to_the_end_of_another() -> None:
    """Batches of eight, one a second, whose first few come as slowly as they like."""
    settling = [0.0] * (SETTLING - 1)
    bursts = [second + i / 1000 for second in range(10, 16) for i in range(8)]
    assert rate([*settling, 10.007, *(time for time in bursts if time >= 11)]) == pytest.approx(8.0, rel=1e-3)


def test_a_run_takes_its_place_in_the_readme_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# Results\n\n{BEGIN}\nold\n{END}\n\nHow to read it.\n", "utf-8")
    monkeypatch.setattr(reports, "README", readme)
    machine = dict.fromkeys(("processor", "cores", "memory", "system", "python", "redis", "grpcio", "code"), "some")
    report = Report([Row.of("latency", "ms", [1.0], at_most(1.2))], machine, "full", 15.0, (0.5, 2.0), {})
    report.write_readme()
    report.write_readme()
    text = readme.read_text("utf-8")
    assert text.startswith(f"# Results\n\n{BEGIN}\n\n**1 of 1 figures reached**")
    assert text.endswith(f"{END}\n\nHow to read it.\n")
    assert "| latency | ≤ 1.20 ms | 1.00 ms | 1.00 ms | 1.00 ms | yes |" in text
    assert "old" not in text
