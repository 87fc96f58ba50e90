"""Submitting a job while none waits and while a hundred thousand do."""

import time
from collections.abc import Callable

from bench import generators
from bench.load import Load, percentile
from bench.row import Row, at_most
from bench.service import Kind, Service
from bench.session import Session
from bench.spread import interleaved
from bench.waiting_jobs import PROVISIONAL, fill
from job_store import JobStore


def on_null_models(session: Session) -> list[Row]:
    """Two services side by side: one whose queue is empty, one whose queue is long. Neither has a worker."""
    waiting = session.effort.waiting
    idle = session.shared(Kind(worker=False))
    with session.fresh(Kind(worker=False)) as full:
        fill(full, session.tiny, waiting)
        session.say(f"{full.waiting():,} jobs wait")
        submits = interleaved(session.effort.rounds, _sides(idle, full, lambda it: _submit_ms(session, it)))
        posts = interleaved(session.effort.rounds, _sides(idle, full, lambda it: _post(session, it).p50_ms))
    session.series["submit, ms"] = submits
    return [
        Row.of(f"submit with {waiting:,} waiting, against 0, p50", "×", _ratios(submits), at_most(1.2)),
        Row.of("submit with 0 waiting, p50", "ms", submits["idle"]),
        Row.of(f"submit with {waiting:,} waiting, p50", "ms", submits["full"]),
        Row.of(f"post to the null model with {waiting:,} waiting, against 0, p50", "×", _ratios(posts)),
    ]


def _sides(idle: Service, full: Service, measure: Callable[[Service], float]) -> dict[str, Callable[[], float]]:
    def on_empty() -> float:
        idle.empty()
        return measure(idle)

    return {"idle": on_empty, "full": lambda: measure(full)}


def _ratios(runs: dict[str, list[float]]) -> list[float]:
    return [full / idle for idle, full in zip(runs["idle"], runs["full"], strict=True)]


def _post(session: Session, service: Service) -> Load:
    return generators.post(service.url, *session.small.body(as_json=True), clients=1, seconds=session.effort.seconds)


def _submit_ms(session: Session, service: Service) -> float:
    """One after the other, over one connection, as the proxy does it."""
    image = session.small.jpeg.read_bytes()

    async def submit(store: JobStore) -> list[float]:
        times = []
        for _ in range(2 * session.effort.posts):
            started = time.perf_counter()
            await store.submit(image, PROVISIONAL)
            times.append((time.perf_counter() - started) * 1000)
        return times

    return percentile(service.with_store(submit), 50)
