"""The endpoints, whose bodies must not change, and the fast answer while other components fail."""

import asyncio
import re
import signal
from pathlib import Path

import httpx
import pytest

from harness.process import free_port
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import JobStore
from tests.images import JPEG_HEADERS, encode_image
from tests.proxy.own_proxy import own_proxy


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/health", '{"health":"ok"}'),
        ("/health/all", '{"mobilenet_v2":"ok","inception_v3":"ok"}'),
        (
            "/metadata",
            '{"data_type":"str","data_structure":"(1,1)","data_sample":"base64 encoded image file",'
            '"prediction_type":"float32","prediction_structure":"(1,1001)",'
            '"prediction_sample":"[0.07093159, 0.01558308, 0.01348537, ...]"}',
        ),
        ("/job/0123456789abcdef01234567", '{"0123456789abcdef01234567":{"prediction":null}}'),
        ("/job/%22no%20id%22", '{"\\"no id\\"":{"prediction":null}}'),
    ],
)
async def test_a_body_has_exactly_these_bytes(path: str, body: str, client: httpx.AsyncClient) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.text == body


async def test_a_prediction_has_a_link_to_its_job_and_the_duration_of_each_step(client: httpx.AsyncClient) -> None:
    response = await client.get("/predict/test")
    assert re.fullmatch(r'\{"job_id":"[0-9a-f]{24}","mobilenet_v2":"[^"]+"\}', response.text)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["link"] == f'</job/{response.json()["job_id"]}>; rel="monitor"'
    assert re.fullmatch(r"mobilenet_v2;dur=\d+\.\d, queue;dur=\d+\.\d", response.headers["server-timing"])


async def test_the_timing_of_a_large_image_includes_its_normalization(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=encode_image(size=(900, 1200)), headers=JPEG_HEADERS)
    timing = response.headers["server-timing"]
    assert re.fullmatch(r"normalize;dur=\d+\.\d, mobilenet_v2;dur=\d+\.\d, queue;dur=\d+\.\d", timing)


async def test_a_prediction_is_empty_while_the_job_is_queued_and_after_it_failed(
    stack: Stack, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    stack.worker.send(signal.SIGSTOP)
    try:
        queued = (await client.get("/predict/test")).json()["job_id"]
        assert (await client.get(f"/job/{queued}")).json() == {queued: {"prediction": ""}}
    finally:
        stack.worker.send(signal.SIGCONT)
    async with stack.redis.client() as redis:
        store = JobStore(redis)
        failed = await store.submit(b"the accurate model can't read this", {"label": "none"})

        async def has_failed() -> bool:
            job = await store.find(failed)
            return job is not None and job.status == "failed"

        await wait_until(has_failed)
    assert (await client.get(f"/job/{failed}")).json() == {failed: {"prediction": ""}}


@pytest.mark.parametrize("request_id", ["abc-123", "A" * 64])
async def test_a_clients_request_id_is_returned_and_logged(
    request_id: str, stack: Stack, client: httpx.AsyncClient
) -> None:
    response = await client.get("/predict/test", headers={"X-Request-ID": request_id})
    assert response.headers["x-request-id"] == request_id
    job = f"job={response.json()['job_id']}"
    await wait_until(lambda: stack.proxy.logged("job accepted", job, f"request={request_id}"))


@pytest.mark.parametrize("request_id", ["", "a b", "A" * 65, "a\tb", 'a"b'])
async def test_a_request_id_that_is_unsafe_in_the_log_is_replaced(request_id: str, client: httpx.AsyncClient) -> None:
    response = await client.get("/health", headers={"X-Request-ID": request_id})
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])


async def test_each_process_logs_one_line_per_job(stack: Stack, client: httpx.AsyncClient) -> None:
    job_id = (await client.get("/predict/test")).json()["job_id"]
    await wait_until(lambda: stack.worker.logged("job finished", job_id))
    await wait_until(lambda: stack.proxy.logged(f"job={job_id}"))
    assert stack.proxy.logged(f"job={job_id}") == 1
    assert stack.worker.logged(f"job={job_id}") == 1


async def test_the_fast_answer_comes_without_redis_and_gives_the_reason(stack: Stack, tmp_path: Path) -> None:
    unreachable = f"redis://127.0.0.1:{free_port()}/0"
    async with own_proxy(stack, tmp_path, REDIS_URL=unreachable) as (client, _):
        for _ in range(3):
            response = await client.get("/predict/test")
            assert response.status_code == 200
            assert response.json()["job_id"] is None
            assert response.json()["mobilenet_v2"]
            assert response.headers["refinement"] == "shed; reason=queue-unavailable"
            assert "link" not in response.headers
        job = await client.get("/job/0123")
        assert job.status_code == 503
        assert job.headers["retry-after"] == "2"
        assert job.json()["type"] == "urn:sync-async:problem:store-unavailable"


async def test_a_redis_that_hangs_delays_only_one_response_and_is_used_again_afterwards(
    stack: Stack, client: httpx.AsyncClient
) -> None:
    stack.redis.send(signal.SIGSTOP)
    try:
        reasons = [(await client.get("/predict/test")).headers.get("refinement") for _ in range(4)]
        timing = (await client.get("/predict/test")).headers["server-timing"]
    finally:
        stack.redis.send(signal.SIGCONT)
    assert set(reasons) == {"shed; reason=queue-unavailable"}
    assert float(timing.split("queue;dur=")[1]) < 1

    async def is_accepted_again() -> bool:
        return (await client.get("/predict/test")).json()["job_id"] is not None

    await wait_until(is_accepted_again)


async def test_the_fast_answer_comes_with_a_full_queue_and_gives_the_reason(stack: Stack, tmp_path: Path) -> None:
    await stack.wait_until_idle()
    async with own_proxy(stack, tmp_path, MAX_QUEUE_LENGTH="2") as (client, process):
        stack.worker.send(signal.SIGSTOP)
        try:
            responses = [await client.get("/predict/test") for _ in range(4)]
        finally:
            stack.worker.send(signal.SIGCONT)
        await wait_until(lambda: process.logged('event="job shed" reason=queue-full model=mobilenet_v2') == 2)
    full = "shed; reason=queue-full"
    assert [response.headers.get("refinement") for response in responses] == [None, None, full, full]
    assert [response.json()["job_id"] is None for response in responses] == [False, False, True, True]
    assert {response.status_code for response in responses} == {200}


async def test_without_the_fast_model_a_prediction_is_a_503(stack: Stack, tmp_path: Path, cat: bytes) -> None:
    async with own_proxy(stack, tmp_path, FAST_MODEL_ADDRESS=f"127.0.0.1:{free_port()}") as (client, _):
        assert (await client.get("/health/all")).json() == {"mobilenet_v2": "ng", "inception_v3": "ok"}
        response = await client.post("/predict", content=cat, headers=JPEG_HEADERS)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "2"
        assert response.json()["type"] == "urn:sync-async:problem:model-unavailable"


async def test_a_fast_model_that_misses_its_deadline_is_a_504(stack: Stack, tmp_path: Path, cat: bytes) -> None:
    async with own_proxy(stack, tmp_path, FAST_MODEL_DEADLINE="0.001") as (client, _):
        response = await client.post("/predict", content=cat, headers=JPEG_HEADERS)
        assert response.status_code == 504
        assert response.json()["type"] == "urn:sync-async:problem:too-slow"


async def test_an_unavailable_accurate_model_is_ng_and_jobs_are_still_accepted(
    stack: Stack, client: httpx.AsyncClient
) -> None:
    stack.accurate.stop()
    try:
        assert (await client.get("/health/all")).json() == {"mobilenet_v2": "ok", "inception_v3": "ng"}
        job_id = (await client.get("/predict/test")).json()["job_id"]
        assert job_id
    finally:
        stack.accurate.start()
    await wait_until(stack.is_up, within=60)
    await wait_until(lambda: stack.worker.logged("job finished", job_id), within=60)


async def test_a_client_that_disconnects_while_sending_its_body_causes_no_error(
    stack: Stack, client: httpx.AsyncClient
) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        writer.write(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 90000\r\n\r\n"
            + bytes(800)
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await client.get("/predict/test")).status_code == 200
    assert not stack.proxy.logged("Traceback")
    assert not stack.proxy.logged("level=error")
