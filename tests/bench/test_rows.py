import json
from pathlib import Path

import pytest

from bench import report as reports
from bench.measures.backlog import WARM_UP_JOBS, rate
from bench.report import BEGIN, END, Report
from bench.row import Row, at_least, at_most
from bench.runs import Summary, interleave
from bench.table import cells


def test_the_sides_of_a_comparison_alternate() -> None:
    order: list[str] = []
    runs = interleave(3, {"A": lambda: order.append("A"), "B": lambda: order.append("B")})
    assert order == ["A", "B"] * 3
    assert {side: len(results) for side, results in runs.items()} == {"A": 3, "B": 3}


def test_the_median_decides_whether_a_target_is_met() -> None:
    assert Row.of("latency", "ms", [9.0, 1.0, 1.1], at_most(1.2)).is_met is True
    assert Row.of("throughput", "×", [0.4, 0.44, 0.9], at_least(0.45)).is_met is False
    assert Row.of("no target", "ms", [1.0]).is_met is None


def test_a_row_shows_its_target_its_measured_values_and_whether_the_target_is_met() -> None:
    row = Row.of("latency", "ms", [9.0, 1.0, 1.1], at_most(1.2))
    assert cells(row) == ("latency", "≤ 1.20 ms", "1.10 ms", "1.00 ms", "9.00 ms", "yes")
    assert json.loads(json.dumps(row.as_json()))["measured"] == {"minimum": 1.0, "median": 1.1, "maximum": 9.0}


def test_a_row_that_could_not_be_measured_shows_the_reason() -> None:
    row = Row("engines", "×", None, at_least(3), "OpenVINO is not installed")
    assert cells(row) == ("engines", "≥ 3.00 ×", "OpenVINO is not installed", "", "", "")
    assert row.is_met is None


def test_the_summary_of_one_run_is_that_run() -> None:
    assert Summary.of([2.0]) == Summary(2.0, 2.0, 2.0)


def test_jobs_per_second_are_counted_between_the_ends_of_two_bursts() -> None:
    """Batches of eight complete every second; the jobs before them are not counted."""
    warm_up = [0.0] * (WARM_UP_JOBS - 1)
    bursts = [second + i / 1000 for second in range(10, 16) for i in range(8)]
    assert rate([*warm_up, 10.007, *(time for time in bursts if time >= 11)]) == pytest.approx(8.0, rel=1e-3)


def test_a_run_replaces_only_the_generated_part_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# Results\n\n{BEGIN}\nold\n{END}\n\nHow to read it.\n", "utf-8")
    monkeypatch.setattr(reports, "README", readme)
    machine = dict.fromkeys(("processor", "cores", "memory", "system", "python", "redis", "grpcio", "commit"), "some")
    report = Report([Row.of("latency", "ms", [1.0], at_most(1.2))], machine, "full", 15.0, (0.5, 2.0), {})
    report.write_readme()
    report.write_readme()
    text = readme.read_text("utf-8")
    assert text.startswith(f"# Results\n\n{BEGIN}\n\n**1 of 1 targets met**")
    assert text.endswith(f"{END}\n\nHow to read it.\n")
    assert "| latency | ≤ 1.20 ms | 1.00 ms | 1.00 ms | 1.00 ms | yes |" in text
    assert "old" not in text
