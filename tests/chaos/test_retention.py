from typing import Final

from harness.waiting import wait_until
from tests.chaos.chaos_stack import JOB_TTL_S, ChaosStack
from tests.chaos.small_models import image_of

HEADERS: Final = {"content-type": "image/png"}
JOBS: Final = 100
IMAGE_BYTES: Final = 50_000


async def test_expired_jobs_are_unknown_and_their_memory_is_freed(stack: ChaosStack) -> None:
    await wait_until(lambda: is_empty(stack))
    before = await used_memory(stack)
    async with stack.client() as client:
        large = image_of(7, comment="x" * IMAGE_BYTES)

        async def post() -> str | None:
            response = await client.post("/predict", content=large, headers=HEADERS)
            job_id: str | None = response.json()["job_id"]
            return job_id

        job_ids = [await wait_until(post) for _ in range(JOBS)]  # a job may be shed on a busy machine
        await stack.wait_until_idle()
        first, last = job_ids[0], job_ids[-1]
        assert (await client.get(f"/job/{last}")).json()[last]["prediction"], "it should not have expired yet"
        await wait_until(lambda: is_empty(stack), within=JOB_TTL_S + 10)
        for job_id in (first, last, "0" * 24):
            response = await client.get(f"/job/{job_id}")
            assert (response.status_code, response.json()) == (200, {job_id: {"prediction": None}})

    async def is_memory_freed() -> bool:
        return await used_memory(stack) < before + JOBS * IMAGE_BYTES * 0.05

    await wait_until(is_memory_freed)


async def is_empty(stack: ChaosStack) -> bool:
    """Whether Redis has no key but that of the empty backlog."""
    keys = {key.decode() async for key in stack.store.redis.scan_iter()}
    return keys <= {stack.store.keys.backlog} and await stack.store.backlog_length() == 0


async def used_memory(stack: ChaosStack) -> int:
    return int((await stack.store.redis.info("memory"))["used_memory"])
