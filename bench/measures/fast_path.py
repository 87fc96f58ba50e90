"""The fast answer with nothing behind it, and with a thousand jobs that a worker is working on."""

import time
from collections.abc import Sequence

from bench.load import percentile
from bench.row import Row, at_most
from bench.service import Kind, NotAsExpected, Service
from bench.session import Session
from bench.spread import interleaved
from bench.stopwatch import Stopwatch, body_of, stopwatch
from bench.waiting_jobs import fill


def on_real_models(session: Session) -> list[Row]:
    """Empty: each post comes after the end of the job before. Behind: posts come at that same pace."""
    behind = session.effort.behind
    asked = f"the fast path's p99 with {behind:,} jobs behind it, against an empty queue"
    if session.models is None:
        return [Row(asked, "×", None, note="the real models are not measured")]
    service = session.shared(Kind(session.models))
    with stopwatch(service) as watch:
        pace_s = [0.0]

        def empty() -> list[float]:
            service.empty()
            started = time.perf_counter()
            took = _one_at_a_time(session, watch)
            pace_s[0] = (time.perf_counter() - started) / len(took)
            return took

        def loaded() -> list[float]:
            service.empty()
            fill(service, session.small, 2 * behind)
            return _paced(session, service, watch, pace_s[0])

        runs = interleaved(session.effort.rounds, {"empty": empty, "behind": loaded})
        service.empty()
    session.series["fast path, ms"] = runs
    ratios = {
        percent: [percentile(b, percent) / percentile(a, percent) for a, b in zip(*runs.values(), strict=True)]
        for percent in (50, 99)
    }
    return [
        Row.of(asked, "×", ratios[99], at_most(1.5)),
        Row.of(asked.replace("p99", "p50"), "×", ratios[50]),
        *_percentiles("empty queue", runs["empty"]),
        *_percentiles(f"{behind:,} jobs behind", runs["behind"]),
    ]


def _one_at_a_time(session: Session, watch: Stopwatch) -> list[float]:
    body = body_of(session.small.body(as_json=True))
    return [watch.post_and_wait(*body).answered_ms for _ in range(session.effort.posts)]


def _paced(session: Session, service: Service, watch: Stopwatch, pace_s: float) -> list[float]:
    body = body_of(session.small.body(as_json=True))
    took = []
    for _ in range(session.effort.posts):
        started = time.perf_counter()
        took.append(watch.post(*body)[1])
        if service.waiting() < session.effort.behind:
            raise NotAsExpected(f"fewer than {session.effort.behind} jobs are behind the fast path")
        time.sleep(max(0.0, started + pace_s - time.perf_counter()))
    return took


def _percentiles(when: str, runs: Sequence[list[float]]) -> list[Row]:
    return [
        Row.of(f"fast answer, real models, {when}, p{percent}", "ms", [percentile(run, percent) for run in runs])
        for percent in (50, 99)
    ]
