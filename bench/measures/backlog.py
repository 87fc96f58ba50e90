"""Jobs a second with a backlog, against the accurate model driven directly with the same batches."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench import generators
from bench.row import Row, at_least
from bench.service import Kind, NotAsExpected
from bench.session import Session
from bench.spread import interleaved
from bench.stopwatch import Stopwatch, stopwatch
from bench.waiting_jobs import fill

BATCH: Final = 8
IN_FLIGHT: Final = 2
"""The worker's defaults (backend/settings.py)."""
SETTLING: Final = 2 * BATCH * IN_FLIGHT
"""Jobs that are not counted: the first batches are small, for the worker starts before all are there."""


def on_null_models(session: Session) -> list[Row]:
    """What the worker itself can do."""
    return _measure(session, Kind(), "null model", seconds=session.effort.seconds, enough=2_500)


def on_real_models(session: Session) -> list[Row]:
    if session.models is None:
        return [Row("jobs a second with a backlog", "×", None, note="the real models are not measured")]
    return _measure(session, Kind(session.models), "InceptionV3", seconds=4 * session.effort.seconds, enough=100)


def _measure(session: Session, kind: Kind, model: str, seconds: float, enough: int) -> list[Row]:
    """`enough`: jobs a second that are hardly ever done; where they are, the run ends sooner."""
    backlog = int(enough * seconds) + SETTLING
    service = session.shared(kind)
    with stopwatch(service) as watch:

        def call() -> float:
            service.empty()
            return generators.predict(
                service.accurate_address, service.accurate_model, session.small.jpeg,
                clients=IN_FLIGHT, seconds=seconds, batch=BATCH,
            ).per_second  # fmt: skip

        def work() -> float:
            service.empty()
            fill(service, session.small, backlog)
            watch.forget_ends()
            return rate(list(_ends(watch, seconds, at_most=service.waiting())))

        runs = interleaved(session.effort.rounds, {"direct": call, "worker": work})
        service.empty()
    ratios = [worked / called for called, worked in zip(runs["direct"], runs["worker"], strict=True)]
    real = kind.models is not None
    session.series[f"jobs a second, {model}"] = runs
    return [
        Row.of(f"jobs a second with a backlog, against {model} driven directly", "×", ratios,
               at_least(0.95) if real else None),
        Row.of(f"images a second, {model} driven directly, {IN_FLIGHT} Predicts of {BATCH}", "/s", runs["direct"]),
        Row.of(f"jobs a second with a backlog, {model}", "/s", runs["worker"]),
    ]  # fmt: skip


def _ends(watch: Stopwatch, seconds: float, at_most: int) -> Iterator[float]:
    """When jobs end, for so long, or until so many have."""
    until = math.inf
    for number in range(at_most):
        watch.next_end(60.0)
        now = time.perf_counter()
        yield now
        until = min(until, now + seconds)
        if now > until and number:
            return


def rate(times: Sequence[float]) -> float:
    """Jobs a second. Completions come in bursts of a batch: it is counted from the end of one burst to the end of another."""
    if len(times) < 2:
        raise NotAsExpected(f"{len(times)} jobs ended: there is no rate in that")
    counted = times[min(SETTLING, len(times) // 2) - 1 :]
    return (len(counted) - 1) / (counted[-1] - counted[0])
