"""A photograph of 12 megapixels and one of 64 KB: the latency that the proxy adds, and that of the fast answer."""

from functools import partial

from bench import generators
from bench.job_timer import JobTimer, job_timer, read_body
from bench.load import percentile
from bench.measures import NO_REAL_MODELS
from bench.photographs import Photograph
from bench.row import Row, at_most
from bench.runs import interleave
from bench.service import Service, ServiceOptions
from bench.session import Session
from harness.stack import FAST_MODEL


def on_null_models(session: Session) -> list[Row]:
    """A direct call sends the whole photograph, as a client without the proxy would have to."""
    service = session.shared_service(ServiceOptions())
    runs = interleave(
        session.profile.rounds,
        {
            "direct": lambda: _call(session, service, session.large),
            "jpeg": lambda: _post(session, service, as_json=False),
            "json": lambda: _post(session, service, as_json=True),
        },
    )
    return [
        Row.of(f"latency added to a direct gRPC call, 1 client, 12 megapixels, {form}, p50", "ms",
               [proxy - direct for direct, proxy in zip(runs["direct"], runs[side], strict=True)])
        for side, form in (("jpeg", "JPEG body"), ("json", "base64 in JSON"))
    ]  # fmt: skip


def on_real_models(session: Session) -> list[Row]:
    """Each post follows the completion of the previous job, so nothing else runs at the same time."""
    title = "fast answer to a 12-megapixel JPEG, p50"
    if session.models is None:
        return [Row(title, "ms", None, note=NO_REAL_MODELS)]
    service = session.shared_service(ServiceOptions(session.models))
    with job_timer(service) as timer:
        runs = interleave(
            session.profile.rounds,
            {
                f"{photograph.name} {form}": partial(_answer_ms, session, timer, photograph, form == "json")
                for photograph in (session.large, session.small)
                for form in ("jpeg", "json")
            },
        )
    return [
        Row.of(title, "ms", runs["large jpeg"], at_most(60)),
        Row.of("fast answer to a 12-megapixel JPEG, base64 in JSON, p50", "ms", runs["large json"]),
        Row.of("fast answer to a 64 KB JPEG, p50", "ms", runs["small jpeg"]),
        Row.of("fast answer to a 64 KB JPEG, base64 in JSON, p50", "ms", runs["small json"]),
    ]


def _call(session: Session, service: Service, photograph: Photograph) -> float:
    return generators.predict(
        service.fast_address, FAST_MODEL, photograph.jpeg, clients=1, seconds=session.profile.seconds
    ).p50_ms


def _post(session: Session, service: Service, *, as_json: bool) -> float:
    body = session.large.body(as_json)
    p50_ms = generators.post(service.url, *body, clients=1, seconds=session.profile.seconds).p50_ms
    service.clear()
    return p50_ms


def _answer_ms(session: Session, timer: JobTimer, photograph: Photograph, as_json: bool) -> float:
    body = read_body(photograph.body(as_json))
    return percentile([timer.post_and_wait(*body).answer_ms for _ in range(max(3, session.profile.posts // 10))], 50)
