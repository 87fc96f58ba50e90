"""Compares posts to the proxy with direct calls to the fast model, for one number of clients."""

from dataclasses import dataclass
from functools import partial

from bench import generators
from bench.backlog import fill_backlog
from bench.direct import CLIENTS
from bench.load import Load
from bench.runs import Summary, interleave
from bench.service import Service
from bench.session import Session
from harness.stack import FAST_MODEL


@dataclass(frozen=True, slots=True)
class Comparison:
    clients: int
    direct: list[Load]
    proxy: list[Load]
    shed: int
    """Posts that got a fast answer and no job."""

    @property
    def added_ms(self) -> list[float]:
        return [proxy.p50_ms - direct.p50_ms for direct, proxy in zip(self.direct, self.proxy, strict=True)]

    @property
    def throughput_ratios(self) -> list[float]:
        return [proxy.per_second / direct.per_second for direct, proxy in zip(self.direct, self.proxy, strict=True)]

    @property
    def note(self) -> str:
        posts = sum(load.requests for load in self.proxy)
        return f"{self.shed:,} of {posts:,} posts were shed: answered, but without a job" if self.shed else ""

    def as_json(self) -> dict[str, list[float]]:
        return {
            "direct": [load.per_second for load in self.direct],
            "proxy": [load.per_second for load in self.proxy],
        }


def compare(
    session: Session, service: Service, clients: int, *, backlog: int = 0, max_calls: int | None = None
) -> Comparison:
    """Queue `backlog` jobs before each run of either side.

    At most `max_calls` direct calls are concurrent, because a model server refuses more.
    """
    callers = min(clients, max_calls or clients)
    client = _faster_client(session, service, callers)

    def prepare() -> None:
        service.clear()
        if backlog:
            fill_backlog(service, session.tiny, backlog)

    def call() -> Load:
        prepare()
        return generators.predict(
            service.fast_address, FAST_MODEL, session.small.jpeg,
            clients=callers, seconds=session.profile.seconds, client=client,
        )  # fmt: skip

    def post() -> Load:
        prepare()
        body = session.small.body(as_json=True)
        return generators.post(service.url, *body, clients=clients, seconds=session.profile.seconds)

    shed_before = service.shed_count()
    runs = interleave(session.profile.rounds, {"direct": call, "proxy": post})
    service.clear()
    direct, proxy = (Summary.of(load.per_second for load in runs[side]).median for side in runs)
    session.log(f"{clients} clients: {direct:.0f} direct calls per second ({client}), {proxy:.0f} posts")
    return Comparison(clients, runs["direct"], runs["proxy"], service.shed_count() - shed_before)


def _faster_client(session: Session, service: Service, clients: int) -> str:
    """Return which of the two Python clients achieves the higher throughput."""
    call = partial(
        generators.predict, service.fast_address, FAST_MODEL, session.small.jpeg,
        clients=clients, seconds=min(1.0, session.profile.seconds),
    )  # fmt: skip
    return max(CLIENTS, key=lambda client: call(client=client).per_second)
