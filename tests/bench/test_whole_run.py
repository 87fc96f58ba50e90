"""A run with the smallest profile. It checks that every measure is taken; the measured values are meaningless."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from bench.__main__ import MEASURES, measure
from bench.measures import NO_REAL_MODELS
from bench.plots import draw
from bench.profile import SMALLEST
from bench.report import Report
from bench.table import markdown, terminal, with_target

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed: sudo apt-get install wrk"),
]


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(SMALLEST, None, [*MEASURES], Console(file=io.StringIO()))


def test_every_row_has_a_measured_value_or_a_reason(report: Report) -> None:
    unmeasured = {row.name: row.note for row in report.rows if row.measured is None}
    assert set(unmeasured.values()) == {NO_REAL_MODELS}, unmeasured
    assert len(unmeasured) == 7
    for row in report.rows:
        if row.measured:
            assert row.measured.minimum <= row.measured.median <= row.measured.maximum


def test_the_table_has_a_row_for_each_figure_with_a_target(report: Report) -> None:
    names = " ".join(row.name for row in with_target(report.rows))
    for figure in (
        "latency added to a direct gRPC call", "throughput with the null model", "throughput with MobileNetV2",
        "POST to completed job minus the models' own time, idle", "jobs per second with a backlog",
        "fast answer with 10 jobs queued, relative to an empty queue, p99", "relative to TensorFlow's, MobileNetV2",
        "relative to TensorFlow's, InceptionV3", "12-megapixel", "proxy memory after", "proxy memory growth",
        "Redis memory per finished job", "submit with",
    ):  # fmt: skip
        assert figure in names, figure


def test_a_run_is_written_as_json_as_a_table_and_as_plots(report: Report, tmp_path: Path) -> None:
    document = json.loads(report.as_json())
    assert [row["name"] for row in document["rows"]] == [row.name for row in report.rows]
    assert document["machine"].keys() == {
        "processor", "cores", "memory", "system", "python", "redis", "grpcio", "commit",
    }  # fmt: skip
    rows = with_target(report.rows)
    assert len(markdown(rows).splitlines()) == terminal(rows, "").row_count + 2
    assert [path.suffix for path in draw(report.series, tmp_path)] == [".svg"]
