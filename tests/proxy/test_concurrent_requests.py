"""Concurrent requests to the whole path, within the proxy's limits and beyond them."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from harness.stack import Stack
from harness.waiting import wait_until
from tests.images import JPEG_HEADERS, encode_image
from tests.proxy.own_proxy import own_proxy


async def test_requests_beyond_the_limits_get_a_503_and_the_others_get_predictions(
    stack: Stack, tmp_path: Path
) -> None:
    image = encode_image(size=(256, 256))
    limits = {"FAST_MODEL_CONCURRENCY": "1", "FAST_MODEL_BATCH_SIZE": "1", "MAX_WAITING": "4"}
    timeouts = {"FAST_MODEL_DEADLINE": "60", "FAST_MODEL_QUEUE_TIMEOUT": "60"}
    async with own_proxy(stack, tmp_path, **limits, **timeouts) as (client, _):
        stack.fast.send(signal.SIGSTOP)
        try:
            posts = [
                asyncio.create_task(client.post("/predict", content=image, headers=JPEG_HEADERS)) for _ in range(40)
            ]
            await wait_until(lambda: sum(post.done() for post in posts) == 40 - 1 - 4)
        finally:
            stack.fast.send(signal.SIGCONT)
        responses = await asyncio.gather(*posts)
        refused = [response for response in responses if response.status_code != 200]
        assert len(refused) == 40 - 1 - 4
        assert {response.status_code for response in refused} == {503}
        assert {response.headers["retry-after"] for response in refused} == {"1"}
        assert {response.json()["type"] for response in refused} == {"urn:sync-async:problem:overloaded"}
        assert (await client.get("/predict/test")).status_code == 200


@pytest.mark.parametrize("count", [16, 64])
async def test_concurrent_requests_within_the_limits_all_get_predictions(count: int, stack: Stack) -> None:
    async with stack.client() as client:
        responses = await asyncio.gather(*(client.get("/predict/test") for _ in range(count)))
        assert {response.status_code for response in responses} == {200}
        assert len({response.json()["job_id"] for response in responses}) == count
    await stack.wait_until_idle()


async def test_only_invalid_images_are_refused_among_concurrent_requests(
    stack: Stack, client: httpx.AsyncClient
) -> None:
    """Every response is the same as for the image alone."""

    async def post(image: bytes) -> tuple[int, object]:
        response = await client.post("/predict", content=image, headers=JPEG_HEADERS)
        body = response.json()
        return response.status_code, body.get("mobilenet_v2", body.get("type"))

    valid = [encode_image(size=(64 + 8 * number, 64)) for number in range(8)]
    images = [image for whole in valid for image in (whole, whole[: len(whole) * 3 // 4])]
    alone = [await post(image) for image in images]
    assert [status for status, _ in alone] == [200, 422] * 8
    assert await asyncio.gather(*(post(image) for image in images)) == alone
    await stack.wait_until_idle()


async def test_concurrent_requests_are_all_accepted_in_bounded_memory(stack: Stack, tmp_path: Path) -> None:
    image = encode_image(size=(256, 256))

    async def one_client() -> list[str]:
        return [
            (await client.post("/predict", content=image, headers=JPEG_HEADERS)).json()["job_id"] for _ in range(25)
        ]

    async with own_proxy(stack, tmp_path) as (client, proxy):
        job_ids = [job_id for ids in await asyncio.gather(*(one_client() for _ in range(16))) for job_id in ids]
        assert len(set(job_ids)) == 400
        assert None not in job_ids
        assert proxy.resident_mb() < 120
    await stack.wait_until_idle()
    assert stack.worker.resident_mb() < 100
