"""`make bench`: measure everything, print the table, write it down."""

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
from bench.effort import FULL, QUICK, Effort
from bench.load import LoadFailed
from bench.machine import code, describe, load_average
from bench.measures import (
    backlog,
    engines,
    fast_path,
    large_photographs,
    memory,
    redis_memory,
    refinement,
    submitting,
    throughput,
)
from bench.report import README, Report
from bench.row import Row
from bench.service import NotAsExpected
from bench.session import Session
from bench.table import asked, further, terminal
from deploy.local.models import export_models
from deploy.local.ports import NoFreePort
from deploy.local.redis_server import NoRedisServer
from deploy.local.settings import LocalSettings
from service_settings import ROOT

Measure = Callable[[Session], list[Row]]
MEASURES: Final[dict[str, Measure]] = {
    "throughput": throughput.on_null_models,
    "refinement": refinement.on_null_models,
    "backlog": backlog.on_null_models,
    "large": large_photographs.on_null_models,
    "redis": redis_memory.on_null_models,
    "submit": submitting.on_null_models,
    "memory": memory.on_null_models,
    "throughput-real": throughput.on_real_models,
    "refinement-real": refinement.on_real_models,
    "backlog-real": backlog.on_real_models,
    "fast-path": fast_path.on_real_models,
    "large-real": large_photographs.on_real_models,
    "engines": engines.on_real_models,
}
WRITTEN: Final = ROOT / "var" / "bench"


def measure(effort: Effort, models: Path | None, names: Sequence[str], console: Console) -> Report:
    """Take the named measures, one after the other. One that can't be taken is a row that says why."""
    started, load_before, code_before = time.monotonic(), load_average(), code()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        small, large, tiny = (make(directory) for make in (photographs.small, photographs.large, photographs.tiny))
        session = Session(effort, directory, small, large, tiny, models, console)
        with closing(session):
            rows = [row for name in names for row in take(name, session)]
    minutes = (time.monotonic() - started) / 60
    measured = code_before if code() == code_before else f"from {code_before} to {code()}, while it was measured"
    return Report(
        rows, {**describe(), "code": measured}, effort.name, minutes, (load_before, load_average()), session.series
    )


def take(name: str, session: Session) -> list[Row]:
    session.say(f"{name} …")
    try:
        return MEASURES[name](session)
    except (LoadFailed, NotAsExpected, RedisError) as error:
        session.say(f"{name}: {error}")
        return [Row(name, "", None, note=f"not measured: {error}")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…")
    parser.add_argument("--quick", action="store_true", help="a few minutes, and bench/README.md stays as it is")
    parser.add_argument("--only", action="append", choices=MEASURES, help="this measure and no other; can be repeated")
    told = parser.parse_args()
    console = Console(highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        console.print(f"bench: load comes from {generators.ready()}")
        settings = LocalSettings.from_environment("make bench")
        export_models(settings)
        report = measure(QUICK if told.quick else FULL, settings.models_dir, told.only or [*MEASURES], console)
    except KeyboardInterrupt:
        sys.exit(130)
    except (generators.NoGenerator, NoRedisServer, NoFreePort) as error:
        sys.exit(f"make bench: {error}")
    write(report, whole=not (told.quick or told.only), console=console)


def write(report: Report, *, whole: bool, console: Console) -> None:
    WRITTEN.mkdir(parents=True, exist_ok=True)
    written = WRITTEN / f"{report.effort}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    written.write_text(report.as_json(), "utf-8")
    plots.draw(report.series, README.parent / "plots" if whole else WRITTEN)
    if whole:
        report.write_readme()
    console.print(terminal(further(report.rows), "Further figures"))
    console.print(terminal(asked(report.rows), "Must reach"))
    console.print(f"bench: {report.minutes:.1f} minutes, load average {report.load[0]:.1f} before; all runs: {written}")


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
