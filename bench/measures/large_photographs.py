"""A photograph of 12 megapixels beside one of 64 KB: what the proxy adds, and how long the fast answer takes."""

from functools import partial

from bench import generators
from bench.load import percentile
from bench.photographs import Photograph
from bench.row import Row, at_most
from bench.service import Kind, Service
from bench.session import Session
from bench.spread import interleaved
from bench.stopwatch import Stopwatch, body_of, stopwatch


def on_null_models(session: Session) -> list[Row]:
    """A direct call sends the whole photograph: that is what a client without the proxy would have to do."""
    service = session.shared(Kind())
    runs = interleaved(
        session.effort.rounds,
        {
            "direct": lambda: _call(session, service, session.large),
            "raw": lambda: _post(session, service, as_json=False),
            "json": lambda: _post(session, service, as_json=True),
        },
    )
    return [
        Row.of(f"added to a direct gRPC call, 1 client, 12 megapixels, {form}, p50", "ms",
               [took - called for called, took in zip(runs["direct"], runs[side], strict=True)])
        for side, form in (("raw", "the JPEG itself"), ("json", "base64 in JSON"))
    ]  # fmt: skip


def on_real_models(session: Session) -> list[Row]:
    """One post at a time, each after the end of the job before: nothing else is going on."""
    asked = "a 12-megapixel JPEG, POST to fast answer, p50"
    if session.models is None:
        return [Row(asked, "ms", None, note="the real models are not measured")]
    service = session.shared(Kind(session.models))
    with stopwatch(service) as watch:
        sides = {
            (photograph.name, as_json): partial(_answered_ms, session, watch, photograph, as_json)
            for photograph in (session.large, session.small)
            for as_json in (False, True)
        }
        runs = interleaved(session.effort.rounds, {f"{name} {as_json}": run for (name, as_json), run in sides.items()})
    return [
        Row.of(asked, "ms", runs["large False"], at_most(60)),
        Row.of("a 12-megapixel JPEG, base64 in JSON, POST to fast answer, p50", "ms", runs["large True"]),
        Row.of("a 64 KB JPEG, POST to fast answer, p50", "ms", runs["small False"]),
        Row.of("a 64 KB JPEG, base64 in JSON, POST to fast answer, p50", "ms", runs["small True"]),
    ]


def _call(session: Session, service: Service, photograph: Photograph) -> float:
    return generators.predict(
        service.fast_address, service.fast_model, photograph.jpeg, clients=1, seconds=session.effort.seconds
    ).p50_ms


def _post(session: Session, service: Service, *, as_json: bool) -> float:
    body = session.large.body(as_json)
    took = generators.post(service.url, *body, clients=1, seconds=session.effort.seconds).p50_ms
    service.empty()
    return took


def _answered_ms(session: Session, watch: Stopwatch, photograph: Photograph, as_json: bool) -> float:
    body = body_of(photograph.body(as_json))
    return percentile([watch.post_and_wait(*body).answered_ms for _ in range(max(3, session.effort.posts // 10))], 50)
