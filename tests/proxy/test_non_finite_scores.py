"""An image for which the model computes NaN fails alone, over the real client and a gRPC server."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
import pytest_asyncio
from fastapi import FastAPI

from proxy import problems
from proxy.batcher import Batcher
from proxy.request_id import RequestId
from tests.fake_model_server import FakeModel, fake_model_server
from tf_serving_client import ModelContract, NonFiniteScores, Prediction, ServedClassifier, open_channel

BLACK: Final = b"black"
TIMEOUT: Final = timedelta(seconds=30)


@pytest_asyncio.fixture
async def batcher() -> AsyncIterator[Batcher]:
    model = FakeModel(lambda image: (math.nan, math.nan) if image == BLACK else (0.9, 0.1))
    async with fake_model_server(model) as address, open_channel(address) as channel:
        contract = ModelContract("m", address, labels=("cat", "dog"))
        classifier = ServedClassifier(channel, contract, b"good", TIMEOUT)
        yield Batcher(classifier, concurrency=1, max_batch_size=8, max_queued=99, queue_timeout=TIMEOUT)


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
