"""A worker with an outdated claim cannot change a single byte in Redis."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from job_store import Claim, DeadLetters, JobStore
from tests.job_store.inspection import contents, expire_job, expire_lease
from tests.job_store.jobs import PERSIAN, SIAMESE, claim_one, submit

Step = Callable[[JobStore, Claim], Awaitable[object]]


async def reclaimed(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert (await claim_one(store)).job_id == claim.job_id


async def reclaimed_and_finished(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert await store.finish(await claim_one(store), PERSIAN)


async def reclaimed_and_failed(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert await store.fail(await claim_one(store), "broken")


async def reclaimed_and_requeued(store: JobStore, claim: Claim) -> None:
    await expire_lease(store, claim.job_id)
    assert await store.requeue(await claim_one(store), counts=True)


async def requeued(store: JobStore, claim: Claim) -> None:
    assert await store.requeue(claim, counts=True)


async def requeued_and_claimed(store: JobStore, claim: Claim) -> None:
    await requeued(store, claim)
    assert (await claim_one(store)).job_id == claim.job_id


async def failed_and_replayed(store: JobStore, claim: Claim) -> None:
    assert await store.fail(claim, "broken")
    assert await DeadLetters(store.redis, store).replay(claim.job_id)


async def failed_replayed_and_failed_again(store: JobStore, claim: Claim) -> None:
    await failed_and_replayed(store, claim)
    assert await store.fail(await claim_one(store), "broken again")


async def expired(store: JobStore, claim: Claim) -> None:
    await expire_job(store, claim.job_id)


EVENTS: Final[list[Step]] = [
    reclaimed,
    reclaimed_and_finished,
    reclaimed_and_failed,
    reclaimed_and_requeued,
    requeued,
    requeued_and_claimed,
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


LATE_STEPS: Final[list[Step]] = [finish, fail, requeue, requeue_uncounted, extend]


def name(step: Step) -> str:
    return step.__name__


@pytest.mark.parametrize("event", EVENTS, ids=name)
@pytest.mark.parametrize("step", LATE_STEPS, ids=name)
async def test_a_step_with_an_outdated_claim_is_refused_and_changes_nothing(
    store: JobStore, event: Step, step: Step
) -> None:
    await submit(store, b"payload")
    outdated = await claim_one(store)
    await event(store, outdated)
    before = await contents(store.redis)
    assert await step(store, outdated) is False
    assert await contents(store.redis) == before


@pytest.mark.parametrize("step", LATE_STEPS, ids=name)
async def test_a_step_after_the_lease_expired_succeeds_until_the_job_is_reclaimed(store: JobStore, step: Step) -> None:
    (job_id,) = await submit(store, b"payload")
    claim = await claim_one(store)
    await expire_lease(store, job_id)
    assert await step(store, claim) is True
