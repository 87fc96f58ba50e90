"""Containers are killed or paused under load: no accepted job is lost."""

from collections.abc import Collection
from typing import Final

import pytest

from harness.waiting import wait_until
from tests.compose.compose_stack import Stack
from tests.compose.load import ANSWERED, UNREACHABLE, WITH_JOB, WITHOUT_JOB, Load
from tests.compose.variants import in_one_variant

pytestmark = in_one_variant

ALLOWED_OUTCOMES: Final = {
    "backend": ANSWERED,
    "imagenet-inception-v3": ANSWERED,
    "redis": ANSWERED,
    "imagenet-mobilenet-v2": ANSWERED | {"503", "504"},
    "proxy": ANSWERED | {UNREACHABLE},
}
"""By the service that fails. Failures of the asynchronous path must not affect the fast answer."""
BURST: Final = 24
"""More jobs than a worker holds at a time."""


@pytest.mark.parametrize("service", ALLOWED_OUTCOMES)
async def test_a_killed_container_is_restarted_and_no_accepted_job_is_lost(
    stack: Stack, cat: bytes, service: str
) -> None:
    await kill_under_load(stack, cat, [service], ALLOWED_OUTCOMES[service])


async def test_a_stack_that_is_killed_completely_restarts_and_no_accepted_job_is_lost(stack: Stack, cat: bytes) -> None:
    await kill_under_load(stack, cat, list(ALLOWED_OUTCOMES), ANSWERED | {"503", "504", UNREACHABLE})
    await stack.wait_until_healthy()


@pytest.mark.parametrize(
    ("service", "outcome"),
    [
        ("backend", WITH_JOB),
        ("imagenet-inception-v3", WITH_JOB),
        ("redis", WITHOUT_JOB),
        ("imagenet-mobilenet-v2", "504"),
    ],
)
async def test_a_paused_container_loses_no_accepted_job(stack: Stack, cat: bytes, service: str, outcome: str) -> None:
    """`outcome` is what the load gets while `service` is paused. A job whose id did not reach a client may be lost."""
    container = stack.container(service)
    with Load(stack.url, cat) as load:
        load.burst(BURST)
        container.pause()
        try:
            before = load.outcomes[outcome]
            await wait_until(lambda: load.outcomes[outcome] > before + 2, within=60)
        finally:
            container.unpause()
        await wait_until(stack.is_up, within=120)
        accepted = len(load.accepted)
        await wait_until(lambda: len(load.accepted) > accepted + 2, within=60)
    assert set(load.outcomes) <= ALLOWED_OUTCOMES[service]
    await wait_until(lambda: all(map(stack.prediction, load.accepted)), within=120, every=0.2)


async def kill_under_load(stack: Stack, cat: bytes, services: Collection[str], allowed: set[str]) -> None:
    killed = [stack.container(service) for service in services]
    restarts = [container.restarts for container in killed]
    with Load(stack.url, cat) as load:
        load.burst(BURST)
        for container in killed:
            container.kill_main_process()
        await wait_until(lambda: all(c.restarts > before for c, before in zip(killed, restarts, strict=True)))
        await wait_until(stack.is_up, within=120)
        before = len(load.accepted)
        await wait_until(lambda: len(load.accepted) > before + 2)
    assert set(load.outcomes) <= allowed
    await wait_until(lambda: all(map(stack.prediction, load.accepted)), within=120, every=0.2)


async def test_a_restarted_redis_still_has_the_queued_jobs(stack: Stack) -> None:
    backend = stack.container("backend")
    backend.stop()
    ids = [stack.get("/predict/test").json()["job_id"] for _ in range(5)]
    assert all(ids)
    stack.compose("restart", "redis")
    await wait_until(stack.container("redis").is_healthy, within=60, every=0.2)
    assert [stack.prediction(job_id) for job_id in ids] == [""] * 5
    backend.start()
    await wait_until(lambda: all(map(stack.prediction, ids)), within=60, every=0.2)
