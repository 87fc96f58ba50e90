"""The endpoints of the seed, frozen: bodies are compact JSON with these keys in this order."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

import service_log
from proxy import openapi
from proxy.refinement_queue import Accepted
from proxy.resources import State
from proxy.uploaded_image import read_image

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


async def opened_state(request: Request) -> State:
    state: State = request.app.state.opened
    return state


Opened = Annotated[State, Depends(opened_state)]


@router.get("/health", responses=openapi.responses(openapi.HEALTH))
async def health() -> Response:
    """Whether this process answers."""
    return _json({"health": "ok"})


@router.get("/health/all", responses=openapi.responses(openapi.HEALTH))
async def health_all(opened: Opened) -> Response:
    """Whether each model is AVAILABLE (`ok`) or not (`ng`)."""
    available = await asyncio.gather(*(model.is_available() for model in opened.models))
    names = (model.model for model in opened.models)
    return _json({name: "ok" if is_up else "ng" for name, is_up in zip(names, available, strict=True)})


@router.get("/metadata", responses=openapi.responses(openapi.METADATA))
async def metadata() -> Response:
    """What goes in and what the models make of it."""
    return Response(METADATA, media_type="application/json")


@router.get("/predict/test", responses=openapi.predicting())
async def predict_test(opened: Opened) -> Response:
    """Predict the test image."""
    return await answer_now(opened, opened.test_image, {})


@router.post("/predict", openapi_extra=openapi.IMAGE_BODY, responses=openapi.predicting(*openapi.OF_THE_BODY))
async def predict(request: Request) -> Response:
    """Answer now with the fast model, and queue the image for the accurate one."""
    opened = await opened_state(request)
    with opened.byte_budget.upload() as upload:
        uploaded = await read_image(request, opened.limits, upload)
        started = time.perf_counter()
        image = await opened.normalizer.normalized(uploaded.data, uploaded.header)
        before = {} if image is uploaded.data else {"normalize": _ms_since(started)}
        return await answer_now(opened, image, before)


@router.get("/job/{job_id}", responses=openapi.finding())
async def job(job_id: str, opened: Opened) -> Response:
    """The accurate model's answer: empty while there is none, null for a job that is not known, or no longer."""
    found = await opened.store.find(job_id)
    if found is None:
        return _json({job_id: {"prediction": None}})
    return _json({job_id: {"prediction": found.output["label"] if found.output else ""}})


async def answer_now(opened: State, image: bytes, before: Mapping[str, float]) -> Response:
    """Steps 2 to 4 of an image's path. The fast model goes first: what it can't read never reaches the queue.

    `before` is what was done to the image, and how many milliseconds it took.
    """
    started = time.perf_counter()
    provisional = await opened.fast_model.classify(image)
    predict_ms, classified = _ms_since(started), time.perf_counter()
    refinement = await opened.refinement.submit(image, provisional)
    queue_ms = _ms_since(classified)

    model = provisional.model
    steps = {**before, model: predict_ms, "queue": queue_ms}
    headers = {"Server-Timing": ", ".join(f"{step};dur={ms}" for step, ms in steps.items())}
    if isinstance(refinement, Accepted):
        job_id = refinement.job_id
        headers["Link"] = f'</job/{job_id}>; rel="monitor"'
    else:
        job_id = None
        headers["Refinement"] = f"shed; reason={refinement.reason}"
    done = {
        "model": model,
        "label": provisional.label,
        **{f"{step}_ms": ms for step, ms in before.items()},
        "predict_ms": predict_ms,
        "queue_ms": queue_ms,
    }
    log = service_log.get_logger()
    if job_id is not None:
        line = partial(log.info, "job accepted", job=job_id, **done)
    else:
        line = partial(log.warning, "job shed", reason=headers["Refinement"], **done)
    asyncio.get_running_loop().call_soon(line)  # when the answer is on its way: nobody waits for a log
    return _json({"job_id": job_id, model: provisional.label}, headers)


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _json(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(body), headers=headers, media_type="application/json")
