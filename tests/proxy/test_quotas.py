"""What one client queues and reads does not concern the others."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from harness.stack import Stack
from harness.waiting import wait_until
from tests.proxy.keys_file import ALICE, BOB, OPERATOR, bearer, write_keys
from tests.proxy.own_proxy import own_proxy

EXCEEDED = "shed; reason=quota-exceeded"


@asynccontextmanager
async def stopped_worker(stack: Stack) -> AsyncIterator[None]:
    await stack.wait_until_idle()
    stack.worker.send(signal.SIGSTOP)
    try:
        yield
    finally:
        stack.worker.send(signal.SIGCONT)


async def test_a_client_that_fills_its_quota_gets_fast_answers_and_others_get_jobs(
    stack: Stack, tmp_path: Path, cat: bytes
) -> None:
    keys = write_keys(tmp_path / "keys.json", max_queued=2)
    async with own_proxy(stack, tmp_path, API_KEYS_FILE=str(keys)) as (client, process):

        async def post(key: str) -> httpx.Response:
            return await client.post("/predict", content=cat, headers={"Content-Type": "image/jpeg", **bearer(key)})

        async with stopped_worker(stack):
            of_alice = [await post(ALICE) for _ in range(4)]
            of_bob = [await post(BOB) for _ in range(4)]
        assert {response.status_code for response in [*of_alice, *of_bob]} == {200}
        assert all(response.json()["mobilenet_v2"] for response in of_alice)
        assert [response.json()["job_id"] is None for response in of_alice] == [False, False, True, True]
        assert [response.headers.get("refinement") for response in of_alice] == [None, None, EXCEEDED, EXCEEDED]
        assert all(response.json()["job_id"] for response in of_bob)
        await wait_until(lambda: process.logged("job shed", "reason=quota-exceeded", "client=key:alice") == 2)
        assert process.logged("job accepted", "client=key:bob") == 4

        async def has_room_again() -> bool:
            return (await post(ALICE)).json()["job_id"] is not None

        await wait_until(has_room_again)


async def test_a_client_reads_only_its_own_jobs_and_an_operator_reads_all(stack: Stack, tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json")
    async with own_proxy(stack, tmp_path, API_KEYS_FILE=str(keys)) as (client, _), stack.client() as anonymous:
        job_id = (await client.get("/predict/test", headers=bearer(ALICE))).json()["job_id"]
        not_owned = (await anonymous.get("/predict/test")).json()["job_id"]
        await stack.wait_until_idle()

        async def prediction(job_id: str, key: str) -> str | None:
            answer: str | None = (await client.get(f"/job/{job_id}", headers=bearer(key))).json()[job_id]["prediction"]
            return answer

        assert await prediction(job_id, ALICE)
        assert await prediction(job_id, BOB) is None
        assert await prediction(job_id, OPERATOR)
        assert await prediction(not_owned, ALICE) is None
        assert await prediction(not_owned, OPERATOR)


async def test_without_keys_each_address_has_a_quota(stack: Stack, tmp_path: Path) -> None:
    settings = {"MAX_QUEUED_PER_CLIENT": "1", "FORWARDED_ALLOW_IPS": "127.0.0.1"}
    async with own_proxy(stack, tmp_path, **settings) as (client, _), stopped_worker(stack):
        addresses = ["192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
        responses = [await client.get("/predict/test", headers={"X-Forwarded-For": address}) for address in addresses]
    assert [response.headers.get("refinement") for response in responses] == [None, EXCEEDED, None, EXCEEDED, None]
