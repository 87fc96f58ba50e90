"""The endpoints. Their bodies must not change: compact JSON with these keys in this order."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

import service_log
from job_store import Owner
from proxy import openapi
from proxy.authentication import CurrentClient
from proxy.refinement_queue import Accepted, Shed
from proxy.resources import Resources
from proxy.timings import PREDICT, Timings
from proxy.uploaded_image import read_image
from tf_serving_client import Prediction

router = APIRouter()

METADATA: Final = to_json(
    {
        "data_type": "str",
        "data_structure": "(1,1)",
        "data_sample": "base64 encoded image file",
        "prediction_type": "float32",
        "prediction_structure": "(1,1001)",
        "prediction_sample": "[0.07093159, 0.01558308, 0.01348537, ...]",
    }
)


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


@router.get("/metadata", responses=openapi.responses(openapi.METADATA))
async def metadata() -> Response:
    """The format of the models' input and output."""
    return Response(METADATA, media_type="application/json")


@router.get("/predict/test", responses=openapi.prediction_responses())
async def predict_test(resources: AppResources, client: CurrentClient) -> Response:
    """Predict the test image."""
    return await answer_now(resources, resources.test_image, Timings(), client.owner)


@router.post("/predict", openapi_extra=openapi.IMAGE_BODY, responses=openapi.prediction_responses(*openapi.BODY_ERRORS))
async def predict(request: Request) -> Response:
    """Answer now with the fast model, and queue the image for the accurate one."""
    resources = await app_resources(request)
    client = resources.authentication.identify(request)
    uploaded = await read_image(request, resources.limits)
    timings = Timings()
    image = await resources.normalizer.normalize(uploaded.data, uploaded.header)
    if image is not uploaded.data:
        timings.record("normalize")
    return await answer_now(resources, image, timings, client.owner)


@router.get("/job/{job_id}", responses=openapi.job_responses())
async def job(job_id: str, resources: AppResources, client: CurrentClient) -> Response:
    """The accurate model's label: empty while the job is pending or if it failed, null for an unknown job."""
    found = await resources.store.find(job_id)
    if found is None or not client.may_read(found):
        return _json({job_id: {"prediction": None}})
    return _json({job_id: {"prediction": found.output["label"] if found.output else ""}})


async def answer_now(resources: Resources, image: bytes, timings: Timings, owner: Owner | None) -> Response:
    """Classify with the fast model, then queue the job.

    The fast model goes first because it decodes the image: an image that it rejects never reaches the queue.
    """
    provisional = await resources.fast_model.classify(image)
    timings.record(PREDICT)
    submission = await resources.refinement_queue.submit(image, provisional, owner)
    timings.record("queue")
    # The line is written after the response is sent, so that no client waits for the log.
    asyncio.get_running_loop().call_soon(_log, submission, provisional, timings)
    headers = {"Server-Timing": timings.server_timing(provisional.model), **submission.headers}
    return _json({"job_id": submission.job_id, provisional.model: provisional.label}, headers)


def _log(submission: Accepted | Shed, provisional: Prediction, timings: Timings) -> None:
    log = service_log.get_logger()
    fields = {"model": provisional.model, "label": provisional.label, **timings.log_fields()}
    if isinstance(submission, Accepted):
        log.info("job accepted", job=submission.job_id, **fields)
    else:
        log.warning("job shed", reason=submission.reason, **fields)


def _json(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(body), headers=headers, media_type="application/json")
