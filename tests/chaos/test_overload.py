import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import pytest

from tests.chaos.chaos_stack import BODY_TIMEOUT_S, ChaosStack
from tests.chaos.overload import QUEUE_FULL, overload
from tests.chaos.small_models import image_of
from tests.chaos.traffic import Samples, Traffic

HEADERS: Final = {"content-type": "image/png"}
SLOW_CLIENTS: Final = 100


@pytest.mark.slow
async def test_ten_times_the_capacity_of_the_accurate_model_does_not_slow_down_fast_answers(
    tmp_path: Path, samples: Samples
) -> None:
    result = await overload(tmp_path / "overload", samples, duration_s=4)
    assert list(result.violations()) == []
    assert result.tally.shed.total() > result.tally.posts / 2


async def test_redis_memory_limits_the_queue(stack: ChaosStack) -> None:
    """Redis has room for about thirty images of 100 KB while the workers can't claim any."""
    redis = stack.store.redis
    for worker in stack.linked_workers:
        worker.redis_link.stall()
    await redis.config_set("maxmemory", (await redis.info("memory"))["used_memory"] + 3_500_000)
    large = image_of(7, comment="x" * 100_000)
    try:
        async with stack.client() as client:
            responses = [await client.post("/predict", content=large, headers=HEADERS) for _ in range(60)]
    finally:
        await redis.config_set("maxmemory", 0)
        for worker in stack.linked_workers:
            worker.redis_link.restore()
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["mobilenet_v2"] for response in responses}) == 1
    reasons = [response.headers.get("refinement") for response in responses]
    assert 10 < reasons.count(None) <= 36, "Redis refuses a write only when its memory is already above the limit"
    assert set(reasons) == {None, QUEUE_FULL}
    await stack.wait_until_idle()


async def test_requests_beyond_the_fast_models_queue_are_refused_immediately(
    stack: ChaosStack, samples: Samples
) -> None:
    """The fast model takes 4 requests at a time and 128 may wait, so most of 300 concurrent ones are refused."""
    stack.fast_model_link.delay_s = 0.05
    limits = httpx.Limits(max_connections=None)
    try:
        async with httpx.AsyncClient(base_url=stack.url, timeout=60, trust_env=False, limits=limits) as client:
            traffic = Traffic(client, samples)
            started = time.monotonic()
            refused: list[float] = []
            answered: list[float] = []

            async def post() -> None:
                (answered if await traffic.post() else refused).append(time.monotonic() - started)

            await asyncio.gather(*(post() for _ in range(300)))
    finally:
        stack.fast_model_link.restore()
    assert set(traffic.tally.refused) == {503}
    assert traffic.tally.refused[503] >= 100
    assert traffic.tally.unanswered == 0
    assert traffic.tally.undocumented == []
    assert median(refused) < median(answered), "a refused request should not wait"
    await stack.wait_until_idle()


async def test_clients_that_send_their_bodies_slowly_time_out_and_block_no_others(
    stack: ChaosStack, samples: Samples
) -> None:
    slow_clients = [asyncio.create_task(send_body_slowly(stack.port)) for _ in range(SLOW_CLIENTS)]
    started = time.monotonic()
    async with stack.client() as client:
        traffic = Traffic(client, samples)
        while time.monotonic() < started + BODY_TIMEOUT_S / 2:
            await traffic.post()
    assert not any(task.done() for task in slow_clients)
    assert traffic.tally.posts == traffic.tally.shed.total() + len(traffic.tally.accepted) >= 3
    responses = await asyncio.gather(*slow_clients)
    assert {response.split(b"\r\n")[0] for response in responses} == {b"HTTP/1.1 408 Request Timeout"}
    assert all(b"connection: close" in response.lower() for response in responses)
    await stack.wait_until_idle()


async def send_body_slowly(port: int) -> bytes:
    """Send a byte every 0.2 s until there is a response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /predict HTTP/1.1\r\nhost: here\r\ncontent-type: image/png\r\ncontent-length: 99\r\n\r\n")
    try:
        while not reader.at_eof():
            writer.write(b"x")
            try:
                return await asyncio.wait_for(reader.read(1000), 0.2)
            except TimeoutError:
                continue
    finally:
        writer.close()
    return b""
