"""Memory of the proxy and the worker after some and after many requests, both newly started."""

from typing import Final

from bench import generators
from bench.row import Row, at_most
from bench.service import Service, ServiceOptions
from bench.session import Session

CLIENTS: Final = 16
MAX_LOAD_S: Final = 5.0
"""Posts arrive faster than the worker finishes jobs, so the load pauses after this time until the backlog is empty."""
MAX_ROUNDS: Final = 2
TARGETS: Final = {"proxy": (at_most(110), at_most(2)), "worker": (None, None)}
"""For the memory and its growth, in MB."""


def on_null_models(session: Session) -> list[Row]:
    few, many = session.profile.request_counts
    runs = [_measure_memory(session) for _ in range(min(MAX_ROUNDS, session.profile.rounds))]
    rows = []
    for name, (memory_target, growth_target) in TARGETS.items():
        memory = [after[name] for _, after in runs]
        growth = [after[name] - before[name] for before, after in runs]
        rows += [
            Row.of(f"{name} memory after {many:,} requests", "MB", memory, memory_target),
            Row.of(f"{name} memory growth from {few:,} to {many:,} requests", "MB", growth, growth_target),
        ]
    return rows


def _measure_memory(session: Session) -> list[dict[str, float]]:
    with session.own_service(ServiceOptions()) as service:
        answered, readings = 0, []
        for count in session.profile.request_counts:
            answered = _post_until(session, service, answered, count)
            readings.append({"proxy": service.proxy.resident_mb(), "worker": service.worker.resident_mb()})
            service.clear()
    return readings


def _post_until(session: Session, service: Service, answered: int, count: int) -> int:
    """Post until `count` requests are answered and their jobs are finished. Return the number of answered requests."""
    body = session.small.body(as_json=True)
    rate = 0.0
    while answered < count:
        seconds = min(MAX_LOAD_S, (count - answered) / rate) if rate else 1.0
        load = generators.post(service.url, *body, clients=CLIENTS, seconds=seconds)
        answered, rate = answered + load.requests, load.per_second
        service.wait_for_jobs()
    return answered
