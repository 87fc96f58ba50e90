"""More than there is room for: what can be answered is, and what can't is refused at once and says so."""

import asyncio
import time
from pathlib import Path
from statistics import median

import httpx

from harness.waiting import wait_until
from tests.chaos.conftest import BODY_TIMEOUT_S
from tests.chaos.overload import FULL, complaints, overload
from tests.chaos.service import Service
from tests.chaos.small_models import image_of
from tests.chaos.traffic import Pictures, Traffic

PNG = {"content-type": "image/png"}
SLOW_CLIENTS = 100


async def test_ten_times_what_the_slow_half_can_do_leaves_the_fast_half_well(
    tmp_path: Path, pictures: Pictures
) -> None:
    seen = await overload(tmp_path / "here", pictures, span_s=4)
    assert list(complaints(seen)) == []
    assert seen.told.shed.total() > seen.told.posts / 2


async def test_the_queue_is_bounded_by_memory_too(service: Service) -> None:
    """Room for some thirty images of 100 KB, while nobody works on them."""
    redis = service.store.redis
    for worker in service.workers:
        worker.to_redis.stall()
    await redis.config_set("maxmemory", (await redis.info("memory"))["used_memory"] + 3_500_000)
    large = image_of(7, comment="x" * 100_000)
    try:
        async with service.client() as client:
            answers = [await client.post("/predict", content=large, headers=PNG) for _ in range(60)]
    finally:
        await redis.config_set("maxmemory", 0)
        for worker in service.workers:
            worker.to_redis.restore()
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["mobilenet_v2"] for answer in answers} == {answers[0].json()["mobilenet_v2"]}
    reasons = [answer.headers.get("refinement") for answer in answers]
    assert 10 < reasons.count(None) < 35
    assert set(reasons) == {None, FULL}
    await wait_until(service.is_idle)


async def test_too_many_at_the_fast_model_are_told_at_once(service: Service, pictures: Pictures) -> None:
    """Four at a time, and 128 may wait: of 300 at once the others need not."""
    service.to_fast.delay_s = 0.05
    limits = httpx.Limits(max_connections=None)
    try:
        async with httpx.AsyncClient(base_url=service.url, timeout=60, trust_env=False, limits=limits) as client:
            traffic = Traffic(client, pictures)
            began = time.monotonic()
            refused: list[float] = []
            answered: list[float] = []

            async def post() -> None:
                (answered if await traffic.post() else refused).append(time.monotonic() - began)

            await asyncio.gather(*(post() for _ in range(300)))
    finally:
        service.to_fast.restore()
    assert set(traffic.told.refused) == {503}
    assert traffic.told.refused[503] >= 100
    assert traffic.told.unanswered == 0
    assert traffic.told.undocumented == []
    assert median(refused) < median(answered), "they were told, and not kept waiting"
    await wait_until(service.is_idle)


async def test_clients_that_trickle_their_bodies_hold_up_nobody_and_are_told_to_go(
    service: Service, pictures: Pictures
) -> None:
    async def trickle() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
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

    trickling = [asyncio.create_task(trickle()) for _ in range(SLOW_CLIENTS)]
    began = time.monotonic()
    async with service.client() as client:
        traffic = Traffic(client, pictures)
        while time.monotonic() < began + BODY_TIMEOUT_S / 2:
            await traffic.post()
    assert not any(task.done() for task in trickling)
    assert traffic.told.posts == traffic.told.shed.total() + len(traffic.told.accepted) >= 3
    answers = await asyncio.gather(*trickling)
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}
    assert all(b"connection: close" in answer.lower() for answer in answers)
    await wait_until(service.is_idle)
