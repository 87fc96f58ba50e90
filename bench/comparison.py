"""Posts to the proxy and direct calls to the model behind it, in turns, from as many clients."""

from dataclasses import dataclass
from functools import partial

from bench import generators
from bench.direct import CLIENTS
from bench.load import Load
from bench.service import Service
from bench.session import Session
from bench.spread import Spread, interleaved
from bench.waiting_jobs import fill


@dataclass(frozen=True, slots=True)
class Comparison:
    clients: int
    direct: list[Load]
    proxy: list[Load]
    shed: int
    """Posts that got their fast answer and no job."""

    @property
    def added_ms(self) -> list[float]:
        return [posted.p50_ms - called.p50_ms for called, posted in zip(self.direct, self.proxy, strict=True)]

    @property
    def throughputs(self) -> list[float]:
        """Of the proxy, as a share of the direct calls'."""
        return [posted.per_second / called.per_second for called, posted in zip(self.direct, self.proxy, strict=True)]

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
    session: Session, service: Service, clients: int, *, behind: int = 0, most_calls: int | None = None
) -> Comparison:
    """`behind`: jobs that wait when each run begins, the direct ones too. `most_calls`: a model that refuses more than
    so many calls at once is called directly by so many clients."""
    callers = min(clients, most_calls or clients)
    client = _best_client(session, service, callers)

    def prepare() -> None:
        service.empty()
        if behind:
            fill(service, session.tiny, behind)

    def call() -> Load:
        prepare()
        return generators.predict(
            service.fast_address, service.fast_model, session.small.jpeg,
            clients=callers, seconds=session.effort.seconds, client=client,
        )  # fmt: skip

    def post() -> Load:
        prepare()
        body = session.small.body(as_json=True)
        return generators.post(service.url, *body, clients=clients, seconds=session.effort.seconds)

    shed = service.shed()
    runs = interleaved(session.effort.rounds, {"direct": call, "proxy": post})
    service.empty()
    called, posted = (Spread.of(load.per_second for load in runs[side]).median for side in runs)
    session.say(f"{clients} clients: {called:.0f} direct calls a second ({client}), {posted:.0f} posts")
    return Comparison(clients, runs["direct"], runs["proxy"], service.shed() - shed)


def _best_client(session: Session, service: Service, clients: int) -> str:
    """Which of the two Python clients gets more out of the model."""
    asked = (service.fast_address, service.fast_model, session.small.jpeg)
    ask = partial(generators.predict, *asked, clients=clients, seconds=min(1.0, session.effort.seconds))
    return max(CLIENTS, key=lambda client: ask(client=client).per_second)
