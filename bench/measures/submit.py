"""Latency of submitting a job to an empty queue and to one of a hundred thousand jobs."""

import time
from collections.abc import Callable

from bench import generators
from bench.backlog import PROVISIONAL, fill_backlog
from bench.load import percentile
from bench.row import Row, at_most
from bench.runs import interleave
from bench.service import Service, ServiceOptions
from bench.session import Session
from job_store import JobStore


def on_null_models(session: Session) -> list[Row]:
    """Compare two services side by side, one with an empty and one with a long queue. Neither has a worker."""
    backlog = session.profile.submit_backlog
    empty = session.shared_service(ServiceOptions(has_worker=False))
    with session.own_service(ServiceOptions(has_worker=False)) as full:
        fill_backlog(full, session.tiny, backlog)
        session.log(f"{full.backlog_length():,} jobs are queued")
        submits = interleave(session.profile.rounds, _sides(empty, full, lambda service: _submit_ms(session, service)))
        posts = interleave(session.profile.rounds, _sides(empty, full, lambda service: _post_ms(session, service)))
    session.series["submit, ms"] = submits
    ratio = f"with {backlog:,} jobs queued, relative to an empty queue, p50"
    return [
        Row.of(f"submit {ratio}", "×", _ratios(submits), at_most(1.2)),
        Row.of("submit to an empty queue, p50", "ms", submits["empty"]),
        Row.of(f"submit with {backlog:,} jobs queued, p50", "ms", submits["full"]),
        Row.of(f"POST to the null model {ratio}", "×", _ratios(posts)),
    ]


def _sides(empty: Service, full: Service, measure: Callable[[Service], float]) -> dict[str, Callable[[], float]]:
    def on_empty() -> float:
        empty.clear()
        return measure(empty)

    return {"empty": on_empty, "full": lambda: measure(full)}


def _ratios(runs: dict[str, list[float]]) -> list[float]:
    return [full / empty for empty, full in zip(runs["empty"], runs["full"], strict=True)]


def _post_ms(session: Session, service: Service) -> float:
    body = session.small.body(as_json=True)
    return generators.post(service.url, *body, clients=1, seconds=session.profile.seconds).p50_ms


def _submit_ms(session: Session, service: Service) -> float:
    """Submit jobs one after the other over one connection, as the proxy does."""
    payload = session.small.jpeg.read_bytes()

    async def submit(store: JobStore) -> list[float]:
        times = []
        for _ in range(2 * session.profile.posts):
            started = time.perf_counter()
            await store.submit(payload, PROVISIONAL)
            times.append((time.perf_counter() - started) * 1000)
        return times

    return percentile(service.with_store(submit), 50)
