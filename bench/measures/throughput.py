"""Latency and throughput of posts, relative to direct gRPC calls to the same model from as many clients."""

import os
from collections.abc import Mapping
from typing import Final

from bench.comparison import Comparison, compare
from bench.measures import NO_REAL_MODELS
from bench.row import Row, Target, at_least, at_most
from bench.service import ServiceOptions
from bench.session import Session

TARGET_CLIENTS: Final = 16
"""The number of clients for which the throughput has a target."""
BACKLOG: Final = 1_000
"""Jobs that are queued before each run on real models, so that the worker is busy in the runs of both sides."""
MAX_CALLS: Final = 4 * (os.cpu_count() or 1)
"""`grpc_max_threads` of a model server, as in TensorFlow Serving: it refuses more concurrent calls."""


def on_null_models(session: Session) -> list[Row]:
    """Measure with a worker that processes the posted jobs, as in `make run`, and without a worker."""
    target_clients = _target_clients(session)
    service = session.shared_service(ServiceOptions())
    without_worker = session.shared_service(ServiceOptions(has_worker=False))
    results = {clients: compare(session, service, clients) for clients in session.profile.clients}
    results_without_worker = {clients: compare(session, without_worker, clients) for clients in {1, target_clients}}
    session.series["throughput, null model"] = _series(results)
    added = "latency added to a direct gRPC call, 1 client, 64 KB JPEG, p50"
    return [
        Row.of(added, "ms", results[1].added_ms, at_most(1.2)),
        Row.of(f"{added}, no worker", "ms", results_without_worker[1].added_ms),
        _throughput("the null model", results[target_clients], at_least(0.45)),
        _throughput("the null model", results_without_worker[target_clients], condition=", no worker"),
        *(_throughput("the null model", results[clients]) for clients in results if clients != target_clients),
        *_rates("null model", results),
    ]


def on_real_models(session: Session) -> list[Row]:
    if session.models is None:
        return [Row("throughput with MobileNetV2", "×", None, note=NO_REAL_MODELS)]
    target_clients = _target_clients(session)
    service = session.shared_service(ServiceOptions(session.models))
    results = {
        clients: compare(session, service, clients, backlog=BACKLOG, max_calls=MAX_CALLS)
        for clients in session.profile.clients
    }
    session.series["throughput, MobileNetV2"] = _series(results)
    with session.own_service(ServiceOptions(session.models, has_worker=False)) as own:
        without_worker = compare(session, own, target_clients, max_calls=MAX_CALLS)
    with session.own_service(ServiceOptions(session.models, False, "--engine=tensorflow")) as own:
        on_tensorflow = compare(session, own, target_clients, max_calls=MAX_CALLS)
    return [
        _throughput("MobileNetV2", results[target_clients], at_least(0.95)),
        _throughput("MobileNetV2", without_worker, condition=", no worker"),
        _throughput("MobileNetV2", on_tensorflow, condition=", no worker, TensorFlow engine"),
        *(_throughput("MobileNetV2", results[clients]) for clients in results if clients != target_clients),
        *_rates("MobileNetV2", results),
    ]


def _target_clients(session: Session) -> int:
    return TARGET_CLIENTS if TARGET_CLIENTS in session.profile.clients else max(session.profile.clients)


def _throughput(model: str, result: Comparison, target: Target | None = None, condition: str = "") -> Row:
    name = f"throughput with {model}, {_clients(result.clients)}, relative to direct gRPC{condition}"
    return Row.of(name, "×", result.throughput_ratios, target, result.note)


def _rates(model: str, results: Mapping[int, Comparison]) -> list[Row]:
    return [
        Row.of(f"{kind} per second, {model}, {_clients(clients)}", "/s", rates)
        for clients, result in results.items()
        for kind, rates in zip(("direct calls", "posts"), result.as_json().values(), strict=True)
    ]


def _clients(count: int) -> str:
    return f"{count} {'client' if count == 1 else 'clients'}"


def _series(results: Mapping[int, Comparison]) -> dict[str, dict[str, list[float]]]:
    return {str(clients): result.as_json() for clients, result in results.items()}
