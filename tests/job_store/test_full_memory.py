"""When Redis's memory is full, only new jobs are refused. Everything else continues, which frees memory."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import pytest
import pytest_asyncio

from harness.redis import RedisServer
from job_store import DeadLetters, JobStatus, JobStore, QueueFull
from tests.job_store.inspection import contents, expire_lease
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


async def test_the_oldest_dead_letters_make_room_for_new_jobs(store: JobStore) -> None:
    used = (await store.redis.info("memory"))["used_memory"]
    await store.redis.config_set("maxmemory", used + 150 * len(PAYLOAD))
    dead = await submit(store, *[PAYLOAD] * 100)
    for claim in (await store.claim(100)).claims:
        await store.fail(claim, "broken")
    accepted = await submit_until_full(store)
    assert len(accepted) > 120, "as many as without dead letters"
    assert await DeadLetters(store.redis, store).list() == []
    assert {(await get_job(store, job_id)).status for job_id in dead} == {JobStatus.FAILED}
    assert len((await store.claim(200)).claims) == len(accepted)


async def test_a_new_job_costs_only_the_oldest_dead_letters(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_store.store.MIN_FREED_BYTES", 1)
    used = (await store.redis.info("memory"))["used_memory"]
    await store.redis.config_set("maxmemory", used + 50 * len(PAYLOAD))
    dead = await submit(store, *[PAYLOAD] * 20)
    for number, claim in enumerate((await store.claim(20)).claims):
        await store.fail(claim, "broken")
        await store.redis.zadd(store.keys.dead_letters, {claim.job_id: number})
    letters = DeadLetters(store.redis, store)
    while len(await letters.list()) == len(dead):
        await submit(store, PAYLOAD)
    assert [letter.id for letter in await letters.list()] == dead[:1:-1]


async def test_a_claim_gives_up_a_job_whose_attempts_are_used_up(store: JobStore) -> None:
    (job_id,) = await submit(store, PAYLOAD)
    for _ in range(store.policy.max_attempts):
        await claim_one(store)
        await expire_lease(store, job_id)
    await fill(store)
    assert (await store.reclaim()).claims == []
    assert (await get_job(store, job_id)).status is JobStatus.FAILED


async def test_new_jobs_are_accepted_once_others_have_ended(store: JobStore) -> None:
    used = (await store.redis.info("memory"))["used_memory"]
    await store.redis.config_set("maxmemory", used + 24 * len(PAYLOAD))
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
