"""The suite's judge sees each way in which the promise can be broken."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from job_store import JobStore
from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.traffic import ALIKE, Told

CAT = {"label": "Persian cat"}
DOG = {"label": "boxer"}


@dataclass
class Case:
    """One job that a client was given the id of, and a ledger that is open."""

    store: JobStore
    told: Told
    ledger: Ledger
    job_id: str

    async def ends(self, output: dict[str, str] = CAT) -> None:
        for claim in (await self.store.claim(1)).claims:
            assert await self.store.finish(claim, output)
        assert await self.ledger.settle()

    async def verdict(self) -> Verdict:
        return await self.ledger.verdict()


@pytest_asyncio.fixture
async def case(redis: Redis) -> AsyncIterator[Case]:
    store, told = JobStore(redis), Told()
    ledger = Ledger(store, told)
    async with ledger.open():
        job_id = await store.submit(b"image", CAT)
        told.accepted[job_id], told.posts = CAT["label"], 1
        yield Case(store, told, ledger, job_id)


async def test_a_job_that_ends_as_it_should_is_no_matter(case: Case) -> None:
    await case.ends()
    assert await case.verdict() == Verdict(succeeded=1)
    assert (await case.verdict()).is_clean


async def test_a_job_that_does_not_end_is_lost(case: Case) -> None:
    assert not await case.ledger.settle(within=0.2)
    verdict = await case.verdict()
    assert verdict.lost == [case.job_id]
    assert len(verdict.left_behind) == 2, "its entry and its image"


async def test_a_job_that_is_gone_is_lost(case: Case) -> None:
    await case.store.redis.delete(case.store.keys.job(case.job_id))
    assert (await case.verdict()).lost == [case.job_id]


async def test_a_job_that_changes_after_its_end_is_doubled(case: Case) -> None:
    await case.ends()
    await case.store.redis.hincrby(case.store.keys.job(case.job_id), "completed_at", 1)
    [doubled] = (await case.verdict()).doubled
    assert "changed after its end" in doubled


async def test_a_job_whose_end_is_announced_again_is_doubled(case: Case) -> None:
    await case.ends()
    await case.store.redis.publish(case.store.keys.ended, case.job_id)
    await case.ledger.heard(case.job_id, times=2)
    assert (await case.verdict()).doubled == [f"{case.job_id}'s end was announced 2 times"]


async def test_an_id_that_two_clients_were_given_is_doubled(case: Case) -> None:
    await case.ends()
    case.told.twice.append(case.job_id)
    assert len((await case.verdict()).doubled) == 1


@pytest.mark.parametrize("expected", [CAT["label"], None])
async def test_another_image_s_answer_is_wrong(expected: str | None, case: Case) -> None:
    case.told.accepted[case.job_id] = expected
    await case.ends(DOG)
    assert len((await case.verdict()).wrong) == 1


async def test_two_answers_to_one_image_are_wrong(case: Case) -> None:
    case.told.accepted[case.job_id] = ALIKE
    await case.ends(DOG)
    other = await case.store.submit(b"image", CAT)
    case.told.accepted[other], case.told.posts = ALIKE, 2
    await case.ends(CAT)
    assert len((await case.verdict()).wrong) == 1


async def test_an_image_that_is_left_is_seen(case: Case) -> None:
    await case.ends()
    await case.store.redis.set(case.store.keys.payload(case.job_id), b"image", ex=60)
    assert (await case.verdict()).left_behind == [f"{case.store.keys.payload(case.job_id)} is still there"]


async def test_a_job_more_than_there_were_posts_is_seen(case: Case) -> None:
    await case.ends()
    await case.store.submit(b"image", CAT)
    for claim in (await case.store.claim(1)).claims:
        await case.store.finish(claim, CAT)
    [left] = (await case.verdict()).left_behind
    assert left.startswith("1 jobs more than were accepted")
