"""What has ended is forgotten in time, and costs nothing any more."""

from harness.waiting import wait_until
from tests.chaos.conftest import JOB_TTL_S
from tests.chaos.service import Service
from tests.chaos.small_models import image_of

PNG = {"content-type": "image/png"}
JOBS = 100
IMAGE_BYTES = 50_000


async def test_after_their_time_jobs_are_unknown_and_redis_has_its_memory_back(service: Service) -> None:
    await wait_until(lambda: is_empty(service))
    before = await used_memory(service)
    async with service.client() as client:
        large = image_of(7, comment="x" * IMAGE_BYTES)
        answers = [await client.post("/predict", content=large, headers=PNG) for _ in range(JOBS)]
        job_ids = [answer.json()["job_id"] for answer in answers]
        assert all(job_ids)
        await wait_until(service.is_idle)
        first, last = job_ids[0], job_ids[-1]
        assert (await client.get(f"/job/{last}")).json()[last]["prediction"], "it can be fetched for a while"
        await wait_until(lambda: is_empty(service), within=JOB_TTL_S + 10)
        for gone in (first, last, "0" * 24):
            answer = await client.get(f"/job/{gone}")
            assert (answer.status_code, answer.json()) == (200, {gone: {"prediction": None}})

    async def has_its_memory_back() -> bool:
        return await used_memory(service) < before + JOBS * IMAGE_BYTES * 0.05

    await wait_until(has_its_memory_back)


async def is_empty(service: Service) -> bool:
    """Nothing is there but the backlog itself, which is empty."""
    keys = {key.decode() async for key in service.store.redis.scan_iter()}
    return keys <= {service.store.keys.backlog} and await service.store.backlog_length() == 0


async def used_memory(service: Service) -> int:
    return int((await service.store.redis.info("memory"))["used_memory"])
