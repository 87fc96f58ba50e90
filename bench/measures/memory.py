"""What the proxy and the worker weigh after some and after many requests, both freshly started."""

from typing import Final

from bench import generators
from bench.row import Row, at_most
from bench.service import Kind, Service
from bench.session import Session

CLIENTS: Final = 16
LONGEST_S: Final = 5.0
"""Posts come faster than the worker works them off: it catches up after each of these."""
MOST_ROUNDS: Final = 2
LIMITS: Final = {"proxy": (at_most(110), at_most(2)), "worker": (None, None)}
"""Of the weight and of its growth, in MB."""


def on_null_models(session: Session) -> list[Row]:
    some, many = session.effort.requests
    weighed = [_weigh(session) for _ in range(min(MOST_ROUNDS, session.effort.rounds))]
    rows = []
    for name, (most, growth) in LIMITS.items():
        heavy = [after[name] for _, after in weighed]
        grown = [after[name] - before[name] for before, after in weighed]
        rows += [
            Row.of(f"{name} memory after {many:,} requests", "MB", heavy, most),
            Row.of(f"{name} memory, growth from {some:,} to {many:,}", "MB", grown, growth),
        ]
    return rows


def _weigh(session: Session) -> list[dict[str, float]]:
    with session.fresh(Kind()) as service:
        answered, found = 0, []
        for count in session.effort.requests:
            answered = _post_until(session, service, answered, count)
            found.append({"proxy": service.proxy.resident_mb(), "worker": service.worker.resident_mb()})
            service.empty()
    return found


def _post_until(session: Session, service: Service, answered: int, count: int) -> int:
    """Post until `count` requests are answered, and all their jobs are done; return how many they were."""
    body = session.small.body(as_json=True)
    rate = 0.0
    while answered < count:
        seconds = min(LONGEST_S, (count - answered) / rate) if rate else 1.0
        load = generators.post(service.url, *body, clients=CLIENTS, seconds=seconds)
        answered, rate = answered + load.requests, load.per_second
        service.until_idle()
    return answered
