"""The seed's endpoints as they are frozen, and the fast answer whatever becomes of the slow half."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from harness.process import Process, free_port
from harness.stack import Stack
from harness.waiting import wait_until
from job_store import JobStore
from tests.images import encoded

JPEG = {"content-type": "image/jpeg"}


@asynccontextmanager
async def proxy_with(
    stack: Stack, directory: Path, **settings: str
) -> AsyncIterator[tuple[httpx.AsyncClient, Process]]:
    """A proxy of the test's own, told something else than the stack's."""
    port = free_port()
    process = stack.proxy.variant(directory / "proxy", PORT=str(port), **settings)
    process.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/health")).is_success
            except httpx.TransportError:
                return False

        try:
            await wait_until(answers)
            yield client, process
        finally:
            process.stop()


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
async def test_an_answer_is_frozen_to_the_byte(path: str, body: str, client: httpx.AsyncClient) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.text == body


async def test_a_prediction_says_where_its_job_is_and_what_took_how_long(client: httpx.AsyncClient) -> None:
    response = await client.get("/predict/test")
    assert re.fullmatch(r'\{"job_id":"[0-9a-f]{24}","mobilenet_v2":"[^"]+"\}', response.text)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["link"] == f'</job/{response.json()["job_id"]}>; rel="monitor"'
    assert re.fullmatch(r"mobilenet_v2;dur=\d+\.\d, queue;dur=\d+\.\d", response.headers["server-timing"])


async def test_a_large_image_says_what_it_took_to_make_it_small(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=encoded(size=(900, 1200)), headers=JPEG)
    timing = response.headers["server-timing"]
    assert re.fullmatch(r"normalize;dur=\d+\.\d, mobilenet_v2;dur=\d+\.\d, queue;dur=\d+\.\d", timing)


async def test_a_job_is_empty_while_it_waits_and_when_it_failed(
    stack: Stack, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    stack.worker.send(signal.SIGSTOP)
    try:
        waiting = (await client.get("/predict/test")).json()["job_id"]
        assert (await client.get(f"/job/{waiting}")).json() == {waiting: {"prediction": ""}}
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


@pytest.mark.parametrize("given", ["abc-123", "A" * 64])
async def test_a_client_s_request_id_comes_back_and_is_logged(
    given: str, stack: Stack, client: httpx.AsyncClient
) -> None:
    response = await client.get("/predict/test", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given
    assert stack.proxy.logged("job accepted", f"job={response.json()['job_id']}", f"request={given}")


@pytest.mark.parametrize("given", ["", "a b", "A" * 65, "a\tb", 'a"b'])
async def test_a_request_id_that_would_spoil_the_log_is_replaced(given: str, client: httpx.AsyncClient) -> None:
    response = await client.get("/health", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])


async def test_a_job_is_one_line_a_hop_in_each_process(stack: Stack, client: httpx.AsyncClient) -> None:
    job_id = (await client.get("/predict/test")).json()["job_id"]
    await wait_until(lambda: stack.worker.logged("job finished", job_id))
    assert stack.proxy.logged(f"job={job_id}") == 1
    assert stack.worker.logged(f"job={job_id}") == 1


async def test_without_redis_the_fast_answer_comes_and_says_why_it_is_all(stack: Stack, tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    async with proxy_with(stack, tmp_path, REDIS_URL=nowhere) as (client, _):
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


async def test_a_redis_that_hangs_holds_up_one_answer_and_is_found_again(
    stack: Stack, client: httpx.AsyncClient
) -> None:
    stack.redis.send(signal.SIGSTOP)
    try:
        reasons = [(await client.get("/predict/test")).headers.get("refinement") for _ in range(4)]
        waits = [float((await client.get("/predict/test")).headers["server-timing"].split("queue;dur=")[1])]
    finally:
        stack.redis.send(signal.SIGCONT)
    assert set(reasons) == {"shed; reason=queue-unavailable"}
    assert waits[0] < 1

    async def is_accepted_again() -> bool:
        return (await client.get("/predict/test")).json()["job_id"] is not None

    await wait_until(is_accepted_again)


async def test_with_a_full_queue_the_fast_answer_comes_and_says_why_it_is_all(stack: Stack, tmp_path: Path) -> None:
    await stack.wait_until_idle()
    async with proxy_with(stack, tmp_path, MAX_QUEUE_LENGTH="2") as (client, _):
        stack.worker.send(signal.SIGSTOP)
        try:
            responses = [await client.get("/predict/test") for _ in range(4)]
        finally:
            stack.worker.send(signal.SIGCONT)
    full = "shed; reason=queue-full"
    assert [response.headers.get("refinement") for response in responses] == [None, None, full, full]
    assert [response.json()["job_id"] is None for response in responses] == [False, False, True, True]
    assert {response.status_code for response in responses} == {200}


async def test_without_the_fast_model_there_is_no_answer_and_no_job(stack: Stack, tmp_path: Path, cat: bytes) -> None:
    async with proxy_with(stack, tmp_path, FAST_MODEL_ADDRESS=f"127.0.0.1:{free_port()}") as (client, _):
        assert (await client.get("/health/all")).json() == {"mobilenet_v2": "ng", "inception_v3": "ok"}
        response = await client.post("/predict", content=cat, headers=JPEG)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "2"
        assert response.json()["type"] == "urn:sync-async:problem:model-unavailable"


async def test_a_fast_model_that_is_too_slow_is_a_504(stack: Stack, tmp_path: Path, cat: bytes) -> None:
    async with proxy_with(stack, tmp_path, FAST_MODEL_DEADLINE="0.001") as (client, _):
        response = await client.post("/predict", content=cat, headers=JPEG)
        assert response.status_code == 504
        assert response.json()["type"] == "urn:sync-async:problem:too-slow"


async def test_an_accurate_model_that_is_away_is_ng_and_jobs_are_taken_all_the_same(
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


async def test_a_client_that_leaves_in_the_middle_of_its_body_does_no_harm(
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


async def test_many_requests_at_once_are_all_answered_and_memory_stays_bounded(stack: Stack, tmp_path: Path) -> None:
    image = encoded(size=(256, 256))

    async def one_client() -> list[str]:
        return [(await client.post("/predict", content=image, headers=JPEG)).json()["job_id"] for _ in range(25)]

    async with proxy_with(stack, tmp_path) as (client, proxy):
        job_ids = [job_id for ids in await asyncio.gather(*(one_client() for _ in range(16))) for job_id in ids]
        assert len(set(job_ids)) == 400
        assert None not in job_ids
        assert proxy.resident_mb() < 120
    await stack.wait_until_idle()
    assert stack.worker.resident_mb() < 100
