"""Jobs per second with a backlog, relative to direct calls to the accurate model with the same batches."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench import generators
from bench.backlog import fill_backlog
from bench.job_timer import JobTimer, job_timer
from bench.measures import NO_REAL_MODELS
from bench.row import Row, at_least
from bench.runs import interleave
from bench.service import MeasurementError, ServiceOptions
from bench.session import Session
from harness.stack import ACCURATE_MODEL

BATCH_SIZE: Final = 8
BATCHES_IN_FLIGHT: Final = 2
"""The worker's defaults (backend/settings.py)."""
WARM_UP_JOBS: Final = 2 * BATCH_SIZE * BATCHES_IN_FLIGHT
"""Not counted: the first batches are small, because the worker starts before the backlog is full."""


def on_null_models(session: Session) -> list[Row]:
    """Measure the throughput limit of the worker itself."""
    return _measure(session, ServiceOptions(), "the null model", seconds=session.profile.seconds, max_rate=2_500)


def on_real_models(session: Session) -> list[Row]:
    if session.models is None:
        return [Row("jobs per second with a backlog", "×", None, note=NO_REAL_MODELS)]
    options = ServiceOptions(session.models)
    return _measure(session, options, "InceptionV3", seconds=4 * session.profile.seconds, max_rate=100)


def _measure(session: Session, options: ServiceOptions, model: str, seconds: float, max_rate: int) -> list[Row]:
    """The backlog is long enough for `max_rate` jobs per second. A faster worker ends the run early."""
    length = int(max_rate * seconds) + WARM_UP_JOBS
    service = session.shared_service(options)
    with job_timer(service) as timer:

        def call() -> float:
            service.clear()
            return generators.predict(
                service.accurate_address, ACCURATE_MODEL, session.small.jpeg,
                clients=BATCHES_IN_FLIGHT, seconds=seconds, batch=BATCH_SIZE,
            ).per_second  # fmt: skip

        def work() -> float:
            service.clear()
            fill_backlog(service, session.small, length)
            timer.discard_completions()
            return rate(list(_completion_times(timer, seconds, max_count=service.backlog_length())))

        runs = interleave(session.profile.rounds, {"direct": call, "worker": work})
        service.clear()
    ratios = [worker / direct for direct, worker in zip(runs["direct"], runs["worker"], strict=True)]
    session.series[f"jobs per second, {model}"] = runs
    return [
        Row.of(f"jobs per second with a backlog, relative to direct calls to {model}", "×", ratios,
               at_least(0.95) if options.models else None),
        Row.of(f"images per second, direct calls to {model}, {BATCHES_IN_FLIGHT} concurrent batches of {BATCH_SIZE}",
               "/s", runs["direct"]),
        Row.of(f"jobs per second with a backlog, {model}", "/s", runs["worker"]),
    ]  # fmt: skip


def _completion_times(timer: JobTimer, seconds: float, max_count: int) -> Iterator[float]:
    """Yield when jobs complete, until `seconds` after the first or until `max_count` have."""
    deadline = math.inf
    for number in range(max_count):
        timer.next_completion()
        now = time.perf_counter()
        yield now
        deadline = min(deadline, now + seconds)
        if now > deadline and number:
            return


def rate(times: Sequence[float]) -> float:
    """Return jobs per second. Jobs complete in bursts of a batch, so both ends of the interval are ends of bursts."""
    if len(times) < 2:
        raise MeasurementError(f"only {len(times)} jobs completed; a rate needs two")
    counted = times[min(WARM_UP_JOBS, len(times) // 2) - 1 :]
    return (len(counted) - 1) / (counted[-1] - counted[0])
