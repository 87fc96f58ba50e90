"""From the post of an image to the end of its job, beyond the time that the two models take themselves."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from bench import generators
from bench.load import percentile
from bench.row import Row, at_most
from bench.service import Kind, Service
from bench.session import Session
from bench.spread import interleaved
from bench.stopwatch import Stopwatch, Timed, body_of, stopwatch


def on_null_models(session: Session) -> list[Row]:
    service = session.shared(Kind())
    with stopwatch(service) as watch:
        runs = interleaved(
            session.effort.rounds,
            {
                "models": lambda: own_time_ms(session, service),
                "idle": lambda: _beyond(_posts(session, watch)),
                "loaded": lambda: _while_posting(session, service, lambda: _beyond(_posts(session, watch, 2))),
            },
        )
    idle, loaded = (
        [took - own for own, took in zip(runs["models"], runs[side], strict=True)] for side in ("idle", "loaded")
    )
    return [
        Row.of("idle, POST to finished job, beyond the models' own time (null models)", "ms", idle, at_most(10)),
        Row.of(
            "loaded by one client without pause, POST to finished job, beyond the models' own time",
            "ms",
            loaded,
        ),
    ]


def on_real_models(session: Session) -> list[Row]:
    name = "idle, POST to finished job, beyond the models' own time (real models)"
    if session.models is None:
        return [Row(name, "ms", None, note="the real models are not measured")]
    service = session.shared(Kind(session.models))
    with stopwatch(service) as watch:
        runs = interleaved(
            session.effort.rounds,
            {"models": lambda: own_time_ms(session, service), "idle": lambda: _beyond(_posts(session, watch, 4))},
        )
    beyond = [took - own for own, took in zip(runs["models"], runs["idle"], strict=True)]
    return [
        Row.of(name, "ms", beyond),
        Row.of("idle, POST to finished job (real models)", "ms", runs["idle"]),
    ]


def own_time_ms(session: Session, service: Service) -> float:
    """Of one direct call to the fast model and one to the accurate model, at p50."""
    asked = ((service.fast_address, service.fast_model), (service.accurate_address, service.accurate_model))
    return sum(
        generators.predict(address, model, session.small.jpeg, clients=1, seconds=session.effort.seconds).p50_ms
        for address, model in asked
    )


def _posts(session: Session, watch: Stopwatch, share: int = 1) -> list[Timed]:
    body = body_of(session.small.body(as_json=True))
    return [watch.post_and_wait(*body) for _ in range(max(3, session.effort.posts // share))]


def _beyond(posts: list[Timed]) -> float:
    return percentile([post.ended_ms for post in posts], 50)


def _while_posting(session: Session, service: Service, measure: Callable[[], float]) -> float:
    """Measure while wrk posts; what it leaves behind is dropped."""
    body = session.small.body(as_json=True)
    with ThreadPoolExecutor(1) as beside:
        started = time.perf_counter()
        load = beside.submit(generators.post, service.url, *body, clients=1, seconds=2 * session.effort.seconds)
        measured = measure()
        if time.perf_counter() - started > 2 * session.effort.seconds:
            session.say("the load ended before the measure did")
        load.result()
    service.empty()
    return measured
