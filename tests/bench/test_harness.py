"""The harness in its smallest form: every measure is taken. What it measures means nothing here."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from bench.__main__ import MEASURES, measure
from bench.effort import SMALLEST
from bench.plots import draw
from bench.report import Report
from bench.table import asked, markdown, terminal

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("wrk"), reason="there is no wrk on this machine")]


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(SMALLEST, None, [*MEASURES], Console(file=io.StringIO()))


def test_every_row_is_measured_or_says_why_not(report: Report) -> None:
    unmeasured = {row.name: row.note for row in report.rows if row.measured is None}
    assert set(unmeasured.values()) == {"the real models are not measured"}, unmeasured
    assert len(unmeasured) == 7
    for row in report.rows:
        if row.measured:
            assert row.measured.minimum <= row.measured.median <= row.measured.maximum


def test_the_table_has_a_row_for_each_figure_that_is_asked_for(report: Report) -> None:
    names = " ".join(row.name for row in asked(report.rows))
    for figure in (
        "added to a direct gRPC call", "throughput on the null model", "throughput on the real MobileNetV2",
        "idle, POST to finished job", "jobs a second with a backlog", "the fast path's p99", "MobileNetV2",
        "InceptionV3", "12-megapixel", "proxy memory after", "proxy memory, growth", "Redis for a finished job",
        "submit with",
    ):  # fmt: skip
        assert figure in names, figure


def test_a_run_is_written_as_json_as_a_table_and_as_plots(report: Report, tmp_path: Path) -> None:
    written = json.loads(report.as_json())
    assert [row["name"] for row in written["rows"]] == [row.name for row in report.rows]
    assert written["machine"].keys() == {"processor", "cores", "memory", "system", "python", "redis", "grpcio", "code"}
    assert len(markdown(asked(report.rows)).splitlines()) == terminal(asked(report.rows), "").row_count + 2
    assert [path.suffix for path in draw(report.series, tmp_path)] == [".svg"]
