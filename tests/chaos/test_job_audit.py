"""The audit detects each kind of violation."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from job_store import JobStore
from tests.chaos.job_audit import AuditResult, JobAudit
from tests.chaos.traffic import SAME_FOR_ALL, Tally

CAT: Final = {"label": "Persian cat"}
DOG: Final = {"label": "boxer"}


@dataclass(frozen=True, slots=True)
class Case:
    """An audit of one accepted job."""

    store: JobStore
    tally: Tally
    audit: JobAudit
    job_id: str

    async def finish(self, output: dict[str, str] = CAT) -> None:
        for claim in (await self.store.claim(1)).claims:
            assert await self.store.finish(claim, output)
        assert await self.audit.settle()


@pytest_asyncio.fixture
async def case(redis: Redis) -> AsyncIterator[Case]:
    store, tally = JobStore(redis), Tally()
    audit = JobAudit(store, tally)
    async with audit.observation():
        job_id = await store.submit(b"image", CAT)
        tally.accepted[job_id], tally.posts = CAT["label"], 1
        yield Case(store, tally, audit, job_id)


async def test_a_job_that_ends_normally_is_no_violation(case: Case) -> None:
    await case.finish()
    assert await case.audit.result() == AuditResult(succeeded=1)
    assert (await case.audit.result()).violations == []


async def test_a_job_that_does_not_end_is_lost(case: Case) -> None:
    assert not await case.audit.settle(timeout=0.2)
    result = await case.audit.result()
    assert result.lost == [case.job_id]
    assert len(result.leftovers) == 2, "its backlog entry and its payload"


async def test_a_deleted_job_is_lost(case: Case) -> None:
    await case.store.redis.delete(case.store.keys.job(case.job_id))
    assert (await case.audit.result()).lost == [case.job_id]


async def test_a_job_that_changes_after_its_end_is_duplicated(case: Case) -> None:
    await case.finish()
    await case.store.redis.hincrby(case.store.keys.job(case.job_id), "completed_at", 1)
    [violation] = (await case.audit.result()).duplicated
    assert "changed after its end" in violation


async def test_a_job_whose_end_is_announced_twice_is_duplicated(case: Case) -> None:
    await case.finish()
    await case.store.redis.publish(case.store.keys.ended, case.job_id)
    await case.audit.wait_for_announcements(case.job_id, 2)
    assert (await case.audit.result()).duplicated == [f"{case.job_id}'s end was announced 2 times"]


async def test_an_id_returned_to_two_clients_is_duplicated(case: Case) -> None:
    await case.finish()
    case.tally.reused_ids.append(case.job_id)
    assert len((await case.audit.result()).duplicated) == 1


@pytest.mark.parametrize("expected", [CAT["label"], None])
async def test_the_label_of_another_image_is_wrong(expected: str | None, case: Case) -> None:
    case.tally.accepted[case.job_id] = expected
    await case.finish(DOG)
    assert len((await case.audit.result()).wrong) == 1


async def test_two_labels_for_the_same_image_are_wrong(case: Case) -> None:
    case.tally.accepted[case.job_id] = SAME_FOR_ALL
    await case.finish(DOG)
    other = await case.store.submit(b"image", CAT)
    case.tally.accepted[other], case.tally.posts = SAME_FOR_ALL, 2
    await case.finish(CAT)
    assert len((await case.audit.result()).wrong) == 1


async def test_a_payload_that_still_exists_is_a_leftover(case: Case) -> None:
    await case.finish()
    await case.store.redis.set(case.store.keys.payload(case.job_id), b"image", ex=60)
    assert (await case.audit.result()).leftovers == [f"{case.store.keys.payload(case.job_id)} still exists"]


async def test_more_jobs_than_posts_are_leftovers(case: Case) -> None:
    await case.finish()
    await case.store.submit(b"image", CAT)
    for claim in (await case.store.claim(1)).claims:
        await case.store.finish(claim, CAT)
    [leftover] = (await case.audit.result()).leftovers
    assert leftover.startswith("1 unknown jobs")
