"""A model that does not fit costs no job: jobs are requeued, and none is claimed until it fits."""

from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from harness.waiting import wait_until
from job_store import JobStatus
from tests.backend.world import World, outcomes, succeed
from tf_serving_client import ModelMismatch, ModelUnavailable

pytestmark = pytest.mark.usefixtures("short_pauses")
MISMATCH = ModelMismatch("m", "version 2 returns int64 [N]", expected="float32 [N, L]", change="export it again")


async def test_a_mismatch_requeues_all_jobs_of_a_batch_without_counting_an_attempt(redis: Redis) -> None:
    world = World(redis, succeed)

    def refuse(_: Sequence[bytes]) -> None:
        raise MISMATCH

    world.model.script = refuse
    jobs = await world.work(await world.claim_jobs(b"a", b"b", b"c"))
    assert outcomes(jobs) == [(JobStatus.QUEUED, 0)] * 3


async def test_a_batch_that_waits_for_the_model_is_requeued_when_another_one_is_served_instead(redis: Redis) -> None:
    world = World(redis, succeed)
    world.status.failures = 1_000_000

    def go_down(_: Sequence[bytes]) -> None:
        world.check.problem = MISMATCH
        raise ModelUnavailable("m", "connection lost")

    world.model.script = go_down
    assert outcomes(await world.work(await world.claim_jobs(b"a", b"b"))) == [(JobStatus.QUEUED, 0)] * 2


async def test_a_worker_claims_nothing_until_the_model_fits(redis: Redis) -> None:
    world = World(redis, succeed)
    job_ids = [await world.store.submit(b"a", {}) for _ in range(20)]

    def refuse(_: Sequence[bytes]) -> None:
        world.check.problem = MISMATCH
        raise MISMATCH

    world.model.script = refuse
    async with world.worker(batch_size=4):
        await wait_until(lambda: world.check.problem)

        async def are_all_queued() -> bool:
            return {job.status for job in await world.jobs(job_ids)} == {JobStatus.QUEUED}

        await wait_until(are_all_queued)
        assert len(world.model.calls) == 1
        world.model.script, world.check.problem = succeed, None
        await world.wait_for_ends(job_ids)
    assert outcomes(await world.jobs(job_ids)) == [(JobStatus.SUCCEEDED, 1)] * 20
