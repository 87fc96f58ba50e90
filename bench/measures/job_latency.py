"""Time from the POST to the completed job, minus the time that the two models take themselves."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from bench import generators
from bench.job_timer import JobTimer, JobTimes, job_timer, read_body
from bench.load import percentile
from bench.measures import NO_REAL_MODELS
from bench.row import Row, at_most
from bench.runs import interleave
from bench.service import Service, ServiceOptions
from bench.session import Session
from harness.stack import ACCURATE_MODEL, FAST_MODEL


def on_null_models(session: Session) -> list[Row]:
    service = session.shared_service(ServiceOptions())
    with job_timer(service) as timer:
        runs = interleave(
            session.profile.rounds,
            {
                "models": lambda: _models_ms(session, service),
                "idle": lambda: _completion_ms(_posts(session, timer)),
                "loaded": lambda: _under_load(session, service, lambda: _completion_ms(_posts(session, timer, 2))),
            },
        )
    idle, loaded = (
        [total - models for models, total in zip(runs["models"], runs[side], strict=True)]
        for side in ("idle", "loaded")
    )
    return [
        Row.of("POST to completed job minus the models' own time, idle, null models", "ms", idle, at_most(10)),
        Row.of("POST to completed job minus the models' own time, under load from 1 client, null models", "ms", loaded),
    ]


def on_real_models(session: Session) -> list[Row]:
    title = "POST to completed job minus the models' own time, idle, real models"
    if session.models is None:
        return [Row(title, "ms", None, note=NO_REAL_MODELS)]
    service = session.shared_service(ServiceOptions(session.models))
    with job_timer(service) as timer:
        runs = interleave(
            session.profile.rounds,
            {
                "models": lambda: _models_ms(session, service),
                "idle": lambda: _completion_ms(_posts(session, timer, 4)),
            },
        )
    overhead = [total - models for models, total in zip(runs["models"], runs["idle"], strict=True)]
    return [
        Row.of(title, "ms", overhead),
        Row.of("POST to completed job, idle, real models", "ms", runs["idle"]),
    ]


def _models_ms(session: Session, service: Service) -> float:
    """Return the p50 of a direct call to the fast model plus that of one to the accurate model."""
    models = ((service.fast_address, FAST_MODEL), (service.accurate_address, ACCURATE_MODEL))
    return sum(
        generators.predict(address, model, session.small.jpeg, clients=1, seconds=session.profile.seconds).p50_ms
        for address, model in models
    )


def _posts(session: Session, timer: JobTimer, divisor: int = 1) -> list[JobTimes]:
    body = read_body(session.small.body(as_json=True))
    return [timer.post_and_wait(*body) for _ in range(max(3, session.profile.posts // divisor))]


def _completion_ms(posts: list[JobTimes]) -> float:
    return percentile([post.completion_ms for post in posts], 50)


def _under_load(session: Session, service: Service, measure: Callable[[], float]) -> float:
    """Measure while wrk posts, and delete the jobs that remain."""
    body = session.small.body(as_json=True)
    seconds = 2 * session.profile.seconds
    with ThreadPoolExecutor(1) as pool:
        started = time.perf_counter()
        load = pool.submit(generators.post, service.url, *body, clients=1, seconds=seconds)
        measured = measure()
        if time.perf_counter() - started > seconds:
            session.log("the load ended before the measure did")
        load.result()
    service.clear()
    return measured
