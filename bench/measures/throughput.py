"""Posts against direct gRPC calls to the same model, from as many clients: latency and throughput."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from bench import generators
from bench.direct import CLIENTS
from bench.load import Load
from bench.measures.backlog import fill
from bench.row import Limit, Row, at_least, at_most
from bench.service import Kind, Service
from bench.session import Session
from bench.spread import Spread, interleaved

Runs = Mapping[str, list[Load]]
BUSY: Final = 16
"""Clients at which a throughput is asked for."""
BEHIND: Final = 1_000
"""Jobs that are kept waiting where the yardstick, too, is to be measured beside a working worker."""


def on_null_models(session: Session) -> list[Row]:
    """As `make run` has it, with a worker that works off what is posted; and then without a worker."""
    with session.serving(Kind()) as service:
        runs = {clients: _runs(session, service, clients) for clients in session.effort.clients}
    session.series["throughput, null model"] = _series(runs)
    with session.serving(Kind(worker=False)) as service:
        busy = _busy(session)
        alone = {clients: _runs(session, service, clients) for clients in {1, busy}}
    added = [posted - called for called, posted in _pairs(runs[1], "p50_ms")]
    added_alone = [posted - called for called, posted in _pairs(alone[1], "p50_ms")]
    rows = [
        Row.of("added to a direct gRPC call, 1 client, 64 KB JPEG, p50", "ms", added, at_most(1.2)),
        Row.of("the same with no worker running", "ms", added_alone),
        _ratio("throughput on the null model", runs[busy], busy, at_least(0.45)),
        _ratio("the same with no worker running", alone[busy], busy),
    ]
    rows += [_ratio("throughput on the null model", runs[clients], clients) for clients in runs if clients != busy]
    return rows + _limits("null model", runs)


def on_real_models(session: Session) -> list[Row]:
    """The worker is busy with a backlog all the time: while the model is asked directly, too."""
    if session.models is None:
        return [Row("throughput on the real MobileNetV2", "×", None, note="the real models are not measured")]
    with session.serving(Kind(session.models)) as service:
        runs = {clients: _runs(session, service, clients, behind=BEHIND) for clients in session.effort.clients}
    session.series["throughput, MobileNetV2"] = _series(runs)
    busy = _busy(session)
    with session.serving(Kind(session.models, worker=False)) as service:
        alone = _runs(session, service, busy)
    return [
        _ratio("throughput on the real MobileNetV2", runs[busy], busy, at_least(0.95)),
        _ratio("the same with no worker running", alone, busy),
        *(_ratio("throughput on the real MobileNetV2", runs[clients], clients) for clients in runs if clients != busy),
        *_limits("MobileNetV2", runs),
    ]


def _runs(session: Session, service: Service, clients: int, behind: int = 0) -> Runs:
    client = _best_client(session, service, clients)

    def call() -> Load:
        _prepare(session, service, behind)
        return generators.predict(
            service.fast_address, service.fast_model, session.small.jpeg,
            clients=clients, seconds=session.effort.seconds, client=client,
        )  # fmt: skip

    def post() -> Load:
        _prepare(session, service, behind)
        body = session.small.body(as_json=True)
        return generators.post(service.url, *body, clients=clients, seconds=session.effort.seconds)

    runs = interleaved(session.effort.rounds, {"direct": call, "proxy": post})
    service.empty()
    called, posted = (Spread.of(load.per_second for load in runs[side]).median for side in runs)
    session.say(f"{clients} clients: {called:.0f} calls a second directly ({client}), {posted:.0f} posts")
    return runs


def _prepare(session: Session, service: Service, behind: int) -> None:
    service.empty()
    if behind:
        fill(service, session.tiny, behind)


def _best_client(session: Session, service: Service, clients: int) -> str:
    """Which of the two Python clients gets more out of the model."""
    ask = partial(generators.predict, service.fast_address, service.fast_model, session.small.jpeg, clients=clients)
    return max(CLIENTS, key=lambda client: ask(seconds=1.0, client=client).per_second)


def _busy(session: Session) -> int:
    return BUSY if BUSY in session.effort.clients else max(session.effort.clients)


def _pairs(runs: Runs, figure: str) -> list[tuple[float, float]]:
    """Direct and proxy, round by round."""
    called, posted = ([float(getattr(load, figure)) for load in runs[side]] for side in ("direct", "proxy"))
    return list(zip(called, posted, strict=True))


def _ratio(name: str, runs: Runs, clients: int, limit: Limit | None = None) -> Row:
    ratios = [posted / called for called, posted in _pairs(runs, "per_second")]
    name = f"{name}, {clients} {'client' if clients == 1 else 'clients'}, against direct gRPC"
    return Row.of(name, "×", ratios, limit)


def _limits(model: str, runs: Mapping[int, Runs]) -> list[Row]:
    return [
        Row.of(f"{what} a second, {model}, {clients} clients", "/s", [load.per_second for load in found[side]])
        for clients, found in runs.items()
        for side, what in (("direct", "direct calls"), ("proxy", "posts"))
    ]


def _series(runs: Mapping[int, Runs]) -> dict[str, dict[str, list[float]]]:
    return {
        str(clients): {side: [load.per_second for load in loads] for side, loads in found.items()}
        for clients, found in runs.items()
    }
