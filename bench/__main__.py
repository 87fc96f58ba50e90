"""`make bench`: takes every measure, prints the tables and writes the results."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from redis.exceptions import RedisError
from rich.console import Console

from bench import generators, photographs, plots
from bench.load import LoadFailed
from bench.machine import commit, describe, load_average
from bench.measures import (
    backlog,
    engines,
    fast_path,
    job_latency,
    large_images,
    memory,
    redis_memory,
    submit,
    throughput,
)
from bench.profile import FULL, QUICK, Profile
from bench.report import README, Report
from bench.row import Row
from bench.service import MeasurementError
from bench.session import Session
from bench.table import terminal, with_target, without_target
from deploy.local.models import export_models
from deploy.local.ports import NoFreePort
from deploy.local.redis_server import NoRedisServer
from deploy.local.settings import LocalSettings
from harness.process import ProcessEnded
from harness.waiting import WaitTimeout
from job_store import JobStoreError
from service_settings import ROOT

Measure = Callable[[Session], list[Row]]
MEASURES: Final[dict[str, Measure]] = {
    "throughput": throughput.on_null_models,
    "job-latency": job_latency.on_null_models,
    "backlog": backlog.on_null_models,
    "large-images": large_images.on_null_models,
    "redis-memory": redis_memory.on_null_models,
    "submit": submit.on_null_models,
    "memory": memory.on_null_models,
    "throughput-real": throughput.on_real_models,
    "job-latency-real": job_latency.on_real_models,
    "backlog-real": backlog.on_real_models,
    "fast-path": fast_path.on_real_models,
    "large-images-real": large_images.on_real_models,
    "engines": engines.on_real_models,
}
MEASURE_ERRORS: Final = (LoadFailed, MeasurementError, ProcessEnded, WaitTimeout, JobStoreError, RedisError)
RESULTS_DIR: Final = ROOT / "var" / "bench"


def measure(profile: Profile, models: Path | None, names: Sequence[str], console: Console) -> Report:
    """Take the named measures one after the other. A measure that fails becomes a row that gives the reason."""
    started, load_before, commit_before = time.monotonic(), load_average(), commit()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        small, large, tiny = (make(directory) for make in (photographs.small, photographs.large, photographs.tiny))
        session = Session(profile, directory, small, large, tiny, models, console)
        with closing(session):
            rows = [row for name in names for row in take_measure(name, session)]
    minutes = (time.monotonic() - started) / 60
    measured = commit_before if commit() == commit_before else f"{commit_before}, changed to {commit()} during the run"
    return Report(
        rows, {**describe(), "commit": measured}, profile.name, minutes, (load_before, load_average()), session.series
    )


def take_measure(name: str, session: Session) -> list[Row]:
    session.log(f"{name} …")
    try:
        return MEASURES[name](session)
    except MEASURE_ERRORS as error:
        session.log(f"{name}: {error}")
        return [Row(name, "", None, note=f"not measured: {error}")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…")
    parser.add_argument("--quick", action="store_true", help="take a few minutes, and do not update bench/README.md")
    parser.add_argument("--only", action="append", choices=MEASURES, help="take only this measure; can be repeated")
    args = parser.parse_args()
    console = Console(highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_on_signal)
    try:
        console.print(f"bench: the load generator is {generators.ensure_wrk()}")
        settings = LocalSettings.from_environment("make bench")
        export_models(settings)
        report = measure(QUICK if args.quick else FULL, settings.models_dir, args.only or [*MEASURES], console)
    except KeyboardInterrupt:
        sys.exit(130)
    except (generators.NoGenerator, NoRedisServer, NoFreePort) as error:
        sys.exit(f"make bench: {error}")
    write(report, is_complete=not (args.quick or args.only), console=console)


def write(report: Report, *, is_complete: bool, console: Console) -> None:
    RESULTS_DIR.mkdir(parents=True, exist_ok=True)
    path = RESULTS_DIR / f"{report.profile}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(report.as_json(), "utf-8")
    plots.draw(report.series, README.parent / "plots" if is_complete else RESULTS_DIR)
    if is_complete:
        report.write_readme()
    console.print(terminal(without_target(report.rows), "Further figures"))
    console.print(terminal(with_target(report.rows), "Figures with a target"))
    console.print(f"bench: {report.minutes:.1f} minutes; load average before: {report.load[0]:.1f}; all runs: {path}")


def _exit_on_signal(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
