"""One image, followed from the client and back. Read this first."""

import base64

import httpx

from harness.models import has_trained_mobilenet
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import JobStatus, JobStore


async def test_one_image_is_answered_now_and_refined_later(stack: Stack, client: httpx.AsyncClient, cat: bytes) -> None:
    # 1-4: the fast model answers in the response, with the id of a job.
    response = await client.post("/predict", json={"image_data": base64.b64encode(cat).decode()})
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["job_id", "mobilenet_v2"]
    assert isinstance(answer["mobilenet_v2"], str)
    if has_trained_mobilenet():
        assert answer["mobilenet_v2"] == "Egyptian cat"

    # 5-7: the worker hands the same image to the accurate model, and records what it says.
    job_id = answer["job_id"]

    async def prediction() -> str:
        return str((await client.get(f"/job/{job_id}")).json()[job_id]["prediction"])

    refined = await wait_until(prediction)
    assert isinstance(refined, str)

    # 8: that answer stays where it is, with the whole story of its job; the image is gone, and the queue is empty.
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
