import re
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from job_store import JobStatus, JobStore, Policy, QueueFull
from tests.job_store.inspection import contents, sent_commands
from tests.job_store.jobs import PERSIAN, SIAMESE, claim_one, get_job, submit


async def test_a_submitted_job_is_queued_and_can_be_found(store: JobStore) -> None:
    (job_id,) = await submit(store, b"payload")
    job = await get_job(store, job_id)
    assert (job.id, job.status, job.provisional) == (job_id, JobStatus.QUEUED, PERSIAN)
    assert (job.output, job.error, job.attempts, job.started_at, job.completed_at) == (None, None, 0, None, None)
    assert abs(job.created_at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_an_id_is_96_bits_from_the_secrets_module(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token_hex, drawn = secrets.token_hex, []

    def draw(size: int) -> str:
        drawn.append(token_hex(size))
        return drawn[-1]

    monkeypatch.setattr(secrets, "token_hex", draw)
    ids = await submit(store, *[b"payload"] * 20)
    assert ids == drawn
    assert len(set(ids)) == 20
    assert all(re.fullmatch("[0-9a-f]{24}", job_id) for job_id in ids)


async def test_an_id_in_use_is_skipped_and_its_job_unchanged(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter(["ended", "queued", "ended", "queued", "ended", "free"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(draws))
    await submit(store, b"1")
    await store.finish(await claim_one(store), SIAMESE)
    await submit(store, b"2")
    before = await contents(store.redis)
    assert await submit(store, b"3") == ["free"]
    after = await contents(store.redis)
    for key in (store.keys.job("ended"), store.keys.job("queued"), store.keys.payload("queued")):
        assert after[key] == before[key]


async def test_a_full_backlog_refuses_a_job_and_stores_nothing(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_backlog=2))
    await submit(store, b"1", b"2")
    before = await contents(redis)
    with pytest.raises(QueueFull):
        await submit(store, b"3")
    assert await contents(redis) == before


async def test_a_job_counts_towards_the_backlog_until_it_ends(redis: Redis) -> None:
    store = JobStore(redis, Policy(max_backlog=1))
    await submit(store, b"1")
    claim = await claim_one(store)
    with pytest.raises(QueueFull):
        await submit(store, b"2")
    await store.finish(claim, SIAMESE)
    assert await submit(store, b"2")


async def test_a_submit_is_a_single_command(store: JobStore) -> None:
    await submit(store, b"loads the script")
    async with sent_commands(store.redis) as commands:
        await submit(store, b"payload")
    assert commands == ["EVALSHA"]
