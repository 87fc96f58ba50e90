"""An image for which the model computes NaN fails alone, over the real client and a gRPC server."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import grpc.aio
import httpx
import pytest_asyncio
from fastapi import FastAPI
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from harness.process import free_port
from proxy import problems
from proxy.batcher import Batcher
from proxy.request_id import RequestId
from tf_serving_client import ImageClassifier, NonFiniteScores, Prediction, open_channel

LABELS: Final = ("cat", "dog")
BLACK: Final = b"black"
TIMEOUT: Final = timedelta(seconds=30)


async def predict(request: PredictRequest, _: Any) -> PredictResponse:
    """Scores `cat`, except for one image."""
    images = request.inputs["image_bytes"].string_val
    await asyncio.sleep(0)  # lets further requests queue up
    response = PredictResponse()
    response.outputs["scores"].dtype = 1
    for image in images:
        response.outputs["scores"].float_val.extend([math.nan, math.nan] if image == BLACK else [0.9, 0.1])
    return response


@pytest_asyncio.fixture
async def batcher() -> AsyncIterator[Batcher]:
    handler = grpc.unary_unary_rpc_method_handler(predict, PredictRequest.FromString, PredictResponse.SerializeToString)
    server = grpc.aio.server()
    service = "tensorflow.serving.PredictionService"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Predict": handler})])
    address = f"127.0.0.1:{free_port()}"
    server.add_insecure_port(address)
    await server.start()
    async with open_channel(address) as channel:
        model = ImageClassifier(channel, "fast", LABELS, TIMEOUT)
        yield Batcher(model, concurrency=1, max_batch_size=8, max_queued=99, queue_timeout=TIMEOUT)
    await server.stop(None)


async def test_an_image_without_a_finite_score_does_not_fail_its_neighbours(batcher: Batcher) -> None:
    images = [b"1", b"2", BLACK, b"4", BLACK, b"6"]
    outcomes = await asyncio.gather(*map(batcher.classify, images), return_exceptions=True)
    expected = [NonFiniteScores if image == BLACK else Prediction for image in images]
    assert [type(outcome) for outcome in outcomes] == expected


async def test_the_client_learns_that_the_model_is_at_fault(batcher: Batcher) -> None:
    app = FastAPI()

    @app.get("/")
    async def classify() -> None:
        await batcher.classify(BLACK)

    problems.register(app)
    app.add_middleware(RequestId)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        response = await client.get("/")
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert response.json()["type"] == "urn:sync-async:problem:model-broken"
