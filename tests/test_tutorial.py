"""Follows one image from the client to the accurate model's result. Read this test first.

The numbers are those of the steps in README.md's diagram.
"""

import base64

import httpx

from harness.models import has_trained_mobilenet
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import JobStatus, JobStore


async def test_one_image_is_answered_now_and_refined_later(stack: Stack, client: httpx.AsyncClient, cat: bytes) -> None:
    # 1-4: the fast model answers in the response, which also has the id of a job.
    response = await client.post("/predict", json={"image_data": base64.b64encode(cat).decode()})
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["job_id", "mobilenet_v2"]
    assert isinstance(answer["mobilenet_v2"], str)
    if has_trained_mobilenet():
        assert answer["mobilenet_v2"] == "Egyptian cat"

    # 5-7: the worker sends the same image to the accurate model and records the result.
    job_id = answer["job_id"]

    async def prediction() -> str:
        return str((await client.get(f"/job/{job_id}")).json()[job_id]["prediction"])

    # 8: the client fetches that result by the job's id.
    refined = await wait_until(prediction)
    assert isinstance(refined, str)

    # The job keeps both answers and its history. Its payload is deleted, and the queue is empty.
    async with stack.redis.client() as redis:
        store = JobStore(redis)
        job = await store.find(job_id)
        assert job
        assert job.status is JobStatus.SUCCEEDED
        assert job.provisional["label"] == answer["mobilenet_v2"]
        assert job.output
        assert job.output["label"] == refined
        assert job.attempts == 1
        assert not await redis.exists(store.keys.payload(job_id))
    await stack.wait_until_idle()
