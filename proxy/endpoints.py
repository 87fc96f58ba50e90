"""The endpoints. Their bodies must not change: compact JSON with these keys in this order."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

import service_log
from job_store import Owner
from proxy import openapi
from proxy.authentication import CurrentClient
from proxy.problems import NOT_READY, problem_response
from proxy.readiness import check_readiness
from proxy.refinement_queue import Accepted, Shed
from proxy.resources import Resources
from proxy.timings import PREDICT, Timings
from tf_serving_client import Prediction

router = APIRouter()


async def app_resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


AppResources = Annotated[Resources, Depends(app_resources)]


@router.get("/health", responses=openapi.responses(openapi.HEALTH))
async def health() -> Response:
    """Whether this process responds."""
    return _json({"health": "ok"})


@router.get("/health/all", responses=openapi.responses(openapi.HEALTH))
async def health_all(resources: AppResources) -> Response:
    """Whether each model is AVAILABLE (`ok`) or not (`ng`)."""
    available = await asyncio.gather(*(model.is_available() for model in resources.models))
    names = (model.model for model in resources.models)
    return _json({name: "ok" if is_available else "ng" for name, is_available in zip(names, available, strict=True)})


@router.get("/livez", responses=openapi.responses(openapi.HEALTH))
async def livez() -> Response:
    """Whether this process responds. If it does not, restart it."""
    return _json({"health": "ok"})


@router.get("/readyz", responses=openapi.readiness_responses())
async def readyz(request: Request, resources: AppResources) -> Response:
    """Whether the fast model can be used; also reports the accurate model and the queue, which are not required."""
    fast, accurate = resources.checked_models
    readiness = await check_readiness(fast, accurate, resources.store, resources.health_deadline)
    if readiness.is_ready:
        return _json(readiness.as_states())
    detail = "the fast model is unavailable or does not fit the model contract: the service's log has the cause"
    return problem_response(request, NOT_READY, detail, readiness.as_states())


@router.get("/metadata", responses=openapi.metadata_responses())
async def metadata(resources: AppResources) -> Response:
    """The format of the models' input and output."""
    return Response(await resources.metadata.body(), media_type="application/json")


async def predict_test(resources: AppResources, client: CurrentClient) -> Response:
    """Predict the test input."""
    return await answer_now(resources, resources.test_input, Timings(), client.owner)


async def predict(request: Request) -> Response:
    """Answer now with the fast model, and queue the input for the accurate one."""
    resources = await app_resources(request)
    client = resources.authentication.identify(request)
    payload, timings = await resources.input.read(request)
    return await answer_now(resources, payload, timings, client.owner)


@router.get("/job/{job_id}", responses=openapi.job_responses())
async def job(job_id: str, resources: AppResources, client: CurrentClient) -> Response:
    """The accurate model's label: empty while the job is pending or if it failed, null for an unknown job."""
    found = await resources.store.find(job_id)
    if found is None or not client.may_read(found):
        return _json({job_id: {"prediction": None}})
    return _json({job_id: {"prediction": found.output["label"] if found.output else ""}})


def prediction_router(input_: str) -> APIRouter:
    """The endpoints whose documentation depends on what clients submit."""
    router = APIRouter()
    router.get("/predict/test", responses=openapi.prediction_responses(input_))(predict_test)
    body, errors = openapi.BODIES[input_], openapi.BODY_ERRORS[input_]
    router.post("/predict", openapi_extra=body, responses=openapi.prediction_responses(input_, *errors))(predict)
    return router


async def answer_now(resources: Resources, payload: bytes, timings: Timings, owner: Owner | None) -> Response:
    """Classify with the fast model, then queue the job.

    The fast model goes first because it reads the payload: one that it rejects never reaches the queue.
    """
    provisional = await resources.fast_model.classify(payload)
    timings.record(PREDICT)
    submission = await resources.refinement_queue.submit(payload, provisional, owner)
    timings.record("queue")
    # The line is written after the response is sent, so that no client waits for the log.
    asyncio.get_running_loop().call_soon(_log, submission, provisional, timings)
    headers = {"Server-Timing": timings.server_timing(provisional.model), **submission.headers(resources.root_path)}
    return _json({"job_id": submission.job_id, provisional.model: provisional.label}, headers)


def _log(submission: Accepted | Shed, provisional: Prediction, timings: Timings) -> None:
    log = service_log.get_logger()
    fields = {"model": provisional.model, "label": provisional.label, **timings.log_fields()}
    if isinstance(submission, Accepted):
        log.info("job accepted", job=submission.job_id, **fields)
    else:
        log.warning("job shed", reason=submission.reason, **fields)


def _json(body: Mapping[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(body), headers=headers, media_type="application/json")
