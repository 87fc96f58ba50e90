"""The worker follows a failover, works over a slow link, and refuses a Redis that can lose jobs."""

import asyncio
import signal
from pathlib import Path

import pytest

from backend.health import request_health
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import JobStatus, JobStore
from tests.backend.process.jobs import StartWorker, wait_for_ends
from tests.chaos.tcp_link import TcpLink

pytestmark = pytest.mark.slow


async def test_a_worker_gets_jobs_over_a_round_trip_of_more_than_a_second(
    store: JobStore, link: TcpLink, start_worker: StartWorker
) -> None:
    link.delay_s = 0.65
    start_worker(LEASE="30", REDIS_TIMEOUT="10")
    (job,) = await wait_for_ends(store, [await store.submit(b"image", {})])
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 1)


async def test_a_claim_that_reaches_redis_too_late_is_logged_and_the_next_one_waits(
    store: JobStore, link: TcpLink, start_worker: StartWorker
) -> None:
    worker = start_worker(LEASE="30", REDIS_TIMEOUT="1")
    await wait_until(lambda: worker.logged("worker started"))
    await wait_for_ends(store, [await store.submit(b"image", {})])
    link.delay_s = 0.4  # a round trip takes less than the timeout, but two thirds of it more than the claim is valid
    job_id = await store.submit(b"image", {})
    await wait_until(lambda: worker.logged("claim expired") >= 3)
    link.delay_s = 0
    await wait_for_ends(store, [job_id])


async def test_a_worker_follows_a_failover_behind_one_address(
    store: JobStore, link: TcpLink, own_redis_server: RedisServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    """The old primary stays up, as a replica of the new one, and so do the connections to it."""
    health = tmp_path / "health"
    worker = start_worker(LEASE="6", HEALTH_SOCKET=str(health))

    async def responds(response: str) -> bool:
        return await asyncio.to_thread(request_health, str(health)) == response

    await wait_for_ends(store, [await store.submit(b"image", {})])
    (tmp_path / "replica").mkdir()
    replica = RedisServer(tmp_path / "replica")
    await replica.start()
    try:
        async with replica.client() as redis:
            await redis.replicaof("127.0.0.1", own_redis_server.port)

            async def is_in_sync() -> bool:
                return (await redis.info("replication")).get("master_link_status") == "up"

            await wait_until(is_in_sync)
            await redis.replicaof("NO", "ONE")
            await store.redis.replicaof("127.0.0.1", replica.port)
            await wait_until(lambda: responds("ng"))
            link.target_port = replica.port
            await wait_until(lambda: responds("ok"))
            promoted = JobStore(redis, store.policy)
            jobs = await wait_for_ends(promoted, [await promoted.submit(b"image", {}) for _ in range(20)])
            assert {job.status for job in jobs} == {JobStatus.SUCCEEDED}
    finally:
        worker.stop()
        replica.stop()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_worker_refuses_a_redis_that_evicts(store: JobStore, start_worker: StartWorker, policy: str) -> None:
    await store.redis.config_set("maxmemory-policy", policy)
    worker = start_worker()
    await wait_until(lambda: not worker.is_running)
    assert worker.popen
    assert worker.popen.returncode == 1
    assert worker.log_tail().splitlines()[-1] == (
        f"backend: Redis evicts keys when its memory is full (maxmemory-policy {policy}), which would lose accepted "
        "jobs: set maxmemory-policy to noeviction"
    )


async def test_a_worker_that_waits_for_redis_checks_it_when_it_responds_and_can_be_stopped(
    store: JobStore, link: TcpLink, start_worker: StartWorker
) -> None:
    link.cut()
    worker = start_worker()
    await wait_until(lambda: worker.logged("store unavailable"))
    worker.send(signal.SIGTERM)
    await wait_until(lambda: not worker.is_running)
    worker.start()
    await store.redis.config_set("maxmemory-policy", "allkeys-lru")
    link.restore()
    await wait_until(lambda: not worker.is_running)
    assert "backend: Redis evicts keys" in worker.log_tail()
