"""Each container is killed, or stands still, while pictures come in: no accepted job is lost."""

from collections.abc import Collection

import pytest

from harness.waiting import wait_until
from tests.compose.compose_stack import Stack
from tests.compose.variants import in_one_variant
from tests.compose.visitors import ANSWERED, UNREACHABLE, WITH_A_JOB, WITHOUT_A_JOB, Visitors

pytestmark = in_one_variant

TOLD_MEANWHILE = {
    "backend": ANSWERED,
    "imagenet-inception-v3": ANSWERED,
    "redis": ANSWERED,
    "imagenet-mobilenet-v2": ANSWERED | {"503", "504"},
    "proxy": ANSWERED | {UNREACHABLE},
}
"""The fast answer comes whatever becomes of the slow half."""
RUSH = 24
"""More than a worker has in its hands at once."""


@pytest.mark.parametrize("service", TOLD_MEANWHILE)
async def test_a_killed_container_comes_back_and_no_accepted_job_is_lost(
    stack: Stack, cat: bytes, service: str
) -> None:
    await kill_under_load(stack, cat, [service], TOLD_MEANWHILE[service])


async def test_a_stack_killed_as_a_whole_comes_back_in_any_order_and_no_accepted_job_is_lost(
    stack: Stack, cat: bytes
) -> None:
    await kill_under_load(stack, cat, list(TOLD_MEANWHILE), ANSWERED | {"503", "504", UNREACHABLE})
    await stack.until_healthy()


@pytest.mark.parametrize(
    ("service", "until"),
    [
        ("backend", WITH_A_JOB),
        ("imagenet-inception-v3", WITH_A_JOB),
        ("redis", WITHOUT_A_JOB),
        ("imagenet-mobilenet-v2", "504"),
    ],
)
async def test_a_container_that_stands_still_loses_no_accepted_job(
    stack: Stack, cat: bytes, service: str, until: str
) -> None:
    """Redis's own answers are lost with it, too: of a submit that it has done, no client knows."""
    container = stack.container(service)
    with Visitors(stack.url, cat) as visitors:
        visitors.rush(RUSH)
        container.pause()
        try:
            before = visitors.told[until]
            await wait_until(lambda: visitors.told[until] > before + 2, within=60)
        finally:
            container.unpause()
        await wait_until(stack.is_up, within=120)
        accepted = len(visitors.accepted)
        await wait_until(lambda: len(visitors.accepted) > accepted + 2, within=60)
    assert set(visitors.told) <= TOLD_MEANWHILE[service]
    await wait_until(lambda: all(map(stack.prediction, visitors.accepted)), within=120, every=0.2)


async def kill_under_load(stack: Stack, cat: bytes, services: Collection[str], may_be_told: set[str]) -> None:
    killed = [stack.container(service) for service in services]
    restarts = [container.restarts for container in killed]
    with Visitors(stack.url, cat) as visitors:
        visitors.rush(RUSH)
        for container in killed:
            container.kill_main_process()
        await wait_until(lambda: all(c.restarts > before for c, before in zip(killed, restarts, strict=True)))
        await wait_until(stack.is_up, within=120)
        before = len(visitors.accepted)
        await wait_until(lambda: len(visitors.accepted) > before + 2)
    assert set(visitors.told) <= may_be_told
    await wait_until(lambda: all(map(stack.prediction, visitors.accepted)), within=120, every=0.2)


async def test_redis_started_anew_still_has_the_jobs_that_wait(stack: Stack) -> None:
    backend = stack.container("backend")
    backend.stop()
    ids = [stack.get("/predict/test").json()["job_id"] for _ in range(5)]
    assert all(ids)
    stack.compose("restart", "redis")
    await wait_until(stack.container("redis").is_healthy, within=60, every=0.2)
    assert [stack.prediction(job_id) for job_id in ids] == [""] * 5
    backend.start()
    await wait_until(lambda: all(map(stack.prediction, ids)), within=60, every=0.2)
