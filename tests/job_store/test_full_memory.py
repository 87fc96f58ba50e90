"""When Redis's memory is full, only new jobs are refused. Everything else continues, which frees memory."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import pytest
import pytest_asyncio

from harness.redis import RedisServer
from job_store import DeadLetters, JobStatus, JobStore, QueueFull
from tests.job_store.inspection import contents
from tests.job_store.jobs import SIAMESE, claim_one, get_job, submit

PAYLOAD: Final = bytes(100_000)


@pytest_asyncio.fixture
async def store(own_redis_server: RedisServer) -> AsyncIterator[JobStore]:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        yield JobStore(redis)


async def fill(store: JobStore) -> None:
    """Set a limit that Redis exceeds regardless of how much is freed."""
    await store.redis.config_set("maxmemory", 1)


async def test_a_new_job_is_refused_and_changes_nothing(store: JobStore) -> None:
    await submit(store, PAYLOAD)
    await fill(store)
    before = await contents(store.redis)
    with pytest.raises(QueueFull):
        await submit(store, PAYLOAD)
    await store.redis.script_flush()
    with pytest.raises(QueueFull):
        await submit(store, PAYLOAD)
    assert await contents(store.redis) == before


async def test_accepted_jobs_make_every_transition(store: JobStore) -> None:
    finished, failed, requeued = await submit(store, PAYLOAD, PAYLOAD, PAYLOAD)
    await fill(store)
    to_finish, to_fail, to_requeue = (await store.claim(3)).claims
    assert await store.extend(to_finish)
    assert await store.finish(to_finish, SIAMESE)
    assert await store.fail(to_fail, "broken")
    assert await store.requeue(to_requeue, counts=False)
    assert (await get_job(store, finished)).output == SIAMESE
    assert (await get_job(store, failed)).error == "broken"
    assert (await claim_one(store)).job_id == requeued


async def test_the_first_claim_succeeds(store: JobStore) -> None:
    await fill(store)
    assert (await store.claim(1)).claims == []
    await store.redis.delete(store.keys.backlog)
    await store.redis.script_flush()
    assert (await store.claim(1)).claims == []


async def test_dead_letters_can_be_read_replayed_and_discarded(store: JobStore) -> None:
    dead_letters = DeadLetters(store.redis, store)
    replayed, discarded = await submit(store, PAYLOAD, PAYLOAD)
    for claim in (await store.claim(2)).claims:
        await store.fail(claim, "broken")
    await fill(store)
    assert {letter.id for letter in await dead_letters.list()} == {replayed, discarded}
    assert await dead_letters.payload(discarded) == PAYLOAD
    assert await dead_letters.discard(discarded)
    assert await dead_letters.replay(replayed)
    assert (await claim_one(store)).job_id == replayed


async def test_new_jobs_are_accepted_once_others_have_ended(store: JobStore) -> None:
    used = (await store.redis.info("memory"))["used_memory"]
    await store.redis.config_set("maxmemory", used + 20 * len(PAYLOAD))
    accepted = await submit_until_full(store)
    assert len(accepted) > 10
    while claims := (await store.claim(4)).claims:
        for claim in claims:
            assert await store.finish(claim, SIAMESE)
    assert {(await get_job(store, job_id)).status for job_id in accepted} == {JobStatus.SUCCEEDED}
    assert await submit(store, *[PAYLOAD] * 10)


async def submit_until_full(store: JobStore) -> list[str]:
    accepted: list[str] = []
    with suppress(QueueFull):
        while True:
            accepted += await submit(store, PAYLOAD)
    return accepted
