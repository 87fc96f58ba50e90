"""What a worker does with a claim that another has overtaken changes nothing, to the byte."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from job_store import Claim, DeadLetters, JobStore
from tests.job_store.inspection import contents, expire_job, expire_lease
from tests.job_store.jobs import PERSIAN, SIAMESE, claim_one, submit

Step = Callable[[JobStore, Claim], Awaitable[object]]


async def taken_over(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert (await claim_one(store)).job_id == claim.job_id


async def taken_over_and_finished(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert await store.finish(await claim_one(store), PERSIAN)


async def taken_over_and_failed(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert await store.fail(await claim_one(store), "broken")


async def taken_over_and_given_back(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert await store.requeue(await claim_one(store), counts=True)


async def given_back(store: JobStore, claim: Claim) -> None:
    assert await store.requeue(claim, counts=True)


async def given_back_and_taken(store: JobStore, claim: Claim) -> None:
    await given_back(store, claim)
    assert (await claim_one(store)).job_id == claim.job_id


async def failed_and_replayed(store: JobStore, claim: Claim) -> None:
    assert await store.fail(claim, "broken")
    assert await DeadLetters(store.redis, store).replay(claim.job_id)


async def failed_replayed_and_failed_again(store: JobStore, claim: Claim) -> None:
    await failed_and_replayed(store, claim)
    assert await store.fail(await claim_one(store), "broken again")


async def expired(store: JobStore, claim: Claim) -> None:
    await expire_job(store, claim.job_id)


OVERTAKEN: Final[list[Step]] = [
    taken_over,
    taken_over_and_finished,
    taken_over_and_failed,
    taken_over_and_given_back,
    given_back,
    given_back_and_taken,
    failed_and_replayed,
    failed_replayed_and_failed_again,
    expired,
]


async def finish(store: JobStore, claim: Claim) -> bool:
    return await store.finish(claim, SIAMESE)


async def fail(store: JobStore, claim: Claim) -> bool:
    return await store.fail(claim, "too late")


async def requeue(store: JobStore, claim: Claim) -> bool:
    return await store.requeue(claim, counts=True)


async def requeue_uncounted(store: JobStore, claim: Claim) -> bool:
    return await store.requeue(claim, counts=False)


async def extend(store: JobStore, claim: Claim) -> bool:
    return await store.extend(claim)


LATE: Final[list[Step]] = [finish, fail, requeue, requeue_uncounted, extend]


def name(step: Step) -> str:
    return step.__name__


@pytest.mark.parametrize("overtaken", OVERTAKEN, ids=name)
@pytest.mark.parametrize("late", LATE, ids=name)
async def test_a_late_worker_changes_nothing(store: JobStore, overtaken: Step, late: Step) -> None:
    await submit(store, b"payload")
    outdated = await claim_one(store)
    await overtaken(store, outdated)
    before = await contents(store.redis)
    assert await late(store, outdated) is False
    assert await contents(store.redis) == before


@pytest.mark.parametrize("late", LATE, ids=name)
async def test_a_worker_whose_lease_ran_out_is_in_time_while_no_other_took_the_job(store: JobStore, late: Step) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    await expire_lease(store, job_id)
    assert await late(store, claim) is True
