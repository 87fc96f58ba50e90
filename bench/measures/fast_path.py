"""Latency of the fast answer on an empty queue, and while a worker processes a thousand queued jobs."""

import time
from collections.abc import Sequence

from bench.backlog import fill_backlog
from bench.job_timer import JobTimer, job_timer, read_body
from bench.load import percentile
from bench.measures import NO_REAL_MODELS
from bench.row import Row, at_most
from bench.runs import interleave
from bench.service import MeasurementError, Service, ServiceOptions
from bench.session import Session


def on_real_models(session: Session) -> list[Row]:
    """On an empty queue, each post follows the completion of the previous job. With a backlog, the rate is the same."""
    backlog = session.profile.fast_path_backlog
    title = f"fast answer with {backlog:,} jobs queued, relative to an empty queue"
    if session.models is None:
        return [Row(f"{title}, p99", "×", None, note=NO_REAL_MODELS)]
    service = session.shared_service(ServiceOptions(session.models))
    with job_timer(service) as timer:
        interval_s = 0.0

        def on_empty_queue() -> list[float]:
            nonlocal interval_s
            service.clear()
            started = time.perf_counter()
            times = _one_at_a_time(session, timer)
            interval_s = (time.perf_counter() - started) / len(times)
            return times

        def with_backlog() -> list[float]:
            service.clear()
            fill_backlog(service, session.small, 2 * backlog)
            return _at_intervals(session, service, timer, interval_s)

        runs = interleave(session.profile.rounds, {"empty": on_empty_queue, "backlog": with_backlog})
        service.clear()
    session.series["fast path, ms"] = runs
    ratios = {
        percent: [percentile(b, percent) / percentile(a, percent) for a, b in zip(*runs.values(), strict=True)]
        for percent in (50, 99)
    }
    return [
        Row.of(f"{title}, p99", "×", ratios[99], at_most(1.5)),
        Row.of(f"{title}, p50", "×", ratios[50]),
        *_percentiles("empty queue", runs["empty"]),
        *_percentiles(f"{backlog:,} jobs queued", runs["backlog"]),
    ]


def _one_at_a_time(session: Session, timer: JobTimer) -> list[float]:
    body = read_body(session.small.body(as_json=True))
    return [timer.post_and_wait(*body).answer_ms for _ in range(session.profile.posts)]


def _at_intervals(session: Session, service: Service, timer: JobTimer, interval_s: float) -> list[float]:
    body = read_body(session.small.body(as_json=True))
    times = []
    for _ in range(session.profile.posts):
        started = time.perf_counter()
        times.append(timer.post(*body)[1])
        if service.backlog_length() < session.profile.fast_path_backlog:
            raise MeasurementError(f"the backlog fell below {session.profile.fast_path_backlog} jobs")
        time.sleep(max(0.0, started + interval_s - time.perf_counter()))
    return times


def _percentiles(condition: str, runs: Sequence[list[float]]) -> list[Row]:
    return [
        Row.of(f"fast answer, real models, {condition}, p{percent}", "ms", [percentile(run, percent) for run in runs])
        for percent in (50, 99)
    ]
