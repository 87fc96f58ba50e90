"""Posts against direct gRPC calls to the same model, from as many clients: latency and throughput."""

import os
from collections.abc import Mapping
from typing import Final

from bench.comparison import Comparison, compare
from bench.row import Limit, Row, at_least, at_most
from bench.service import Kind
from bench.session import Session

BUSY: Final = 16
"""Clients at which a throughput is asked for."""
BEHIND: Final = 1_000
"""Jobs that wait while the real models are driven, so that the worker works in each run, the direct ones too."""

MOST_CALLS: Final = 4 * (os.cpu_count() or 1)
"""`grpc_max_threads` of a model server, TensorFlow Serving's too: it refuses more calls at once."""


def on_null_models(session: Session) -> list[Row]:
    """As `make run` has it, with a worker that works off what is posted; and then without a worker."""
    busy = _busy(session)
    service, resting = session.shared(Kind()), session.shared(Kind(worker=False))
    working = {clients: compare(session, service, clients) for clients in session.effort.clients}
    alone = {clients: compare(session, resting, clients) for clients in {1, busy}}
    session.series["throughput, null model"] = _series(working)
    added = "added to a direct gRPC call, 1 client, 64 KB JPEG, p50"
    return [
        Row.of(added, "ms", working[1].added_ms, at_most(1.2)),
        Row.of(f"{added}, no worker running", "ms", alone[1].added_ms),
        _throughput("null model", working[busy], at_least(0.45)),
        _throughput("null model", alone[busy], further=", no worker running"),
        *(_throughput("null model", working[clients]) for clients in working if clients != busy),
        *_rates("null model", working),
    ]


def on_real_models(session: Session) -> list[Row]:
    if session.models is None:
        return [Row("throughput on the real MobileNetV2", "×", None, note="the real models are not measured")]
    busy = _busy(session)
    service = session.shared(Kind(session.models))
    working = {
        clients: compare(session, service, clients, behind=BEHIND, most_calls=MOST_CALLS)
        for clients in session.effort.clients
    }
    session.series["throughput, MobileNetV2"] = _series(working)
    with session.fresh(Kind(session.models, worker=False)) as resting:
        alone = compare(session, resting, busy, most_calls=MOST_CALLS)
    with session.fresh(Kind(session.models, worker=False, model_server_flags="--engine=tensorflow")) as reference:
        slower = compare(session, reference, busy, most_calls=MOST_CALLS)
    return [
        _throughput("real MobileNetV2", working[busy], at_least(0.95)),
        _throughput("real MobileNetV2", alone, further=", no worker running"),
        _throughput("real MobileNetV2", slower, further=", no worker running, TensorFlow engine"),
        *(_throughput("real MobileNetV2", working[clients]) for clients in working if clients != busy),
        *_rates("MobileNetV2", working),
    ]


def _busy(session: Session) -> int:
    return BUSY if BUSY in session.effort.clients else max(session.effort.clients)


def _throughput(model: str, found: Comparison, limit: Limit | None = None, further: str = "") -> Row:
    name = f"throughput on the {model}, {_clients(found.clients)}, against direct gRPC{further}"
    return Row.of(name, "×", found.throughputs, limit, found.note)


def _rates(model: str, compared: Mapping[int, Comparison]) -> list[Row]:
    return [
        Row.of(f"{what} a second, {model}, {_clients(clients)}", "/s", rates)
        for clients, found in compared.items()
        for what, rates in zip(("direct calls", "posts"), found.as_json().values(), strict=True)
    ]


def _clients(count: int) -> str:
    return f"{count} {'client' if count == 1 else 'clients'}"


def _series(compared: Mapping[int, Comparison]) -> dict[str, dict[str, list[float]]]:
    return {str(clients): found.as_json() for clients, found in compared.items()}
