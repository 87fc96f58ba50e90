"""Several workers, and several processes in the proxy."""

from collections.abc import Callable

import pytest

from harness.waiting import wait_until
from tests.attack.bombs import RGBA, png
from tests.compose.compose_stack import Stack
from tests.compose.load import ANSWERED, Load
from tests.compose.variants import in_one_variant

pytestmark = in_one_variant


def by_variable(stack: Stack) -> None:
    stack.make("c_up", BACKEND_REPLICAS="3")


def by_option(stack: Stack) -> None:
    stack.compose("up", "-d", "--scale", "backend=3")


@pytest.mark.parametrize("scale", [by_variable, by_option])
async def test_three_workers_share_the_jobs_and_two_of_them_can_be_removed(
    stack: Stack, cat: bytes, scale: Callable[[Stack], None]
) -> None:
    with Load(stack.url, cat) as load:
        scale(stack)
        workers = stack.containers("backend")
        assert len(workers) == 3
        await wait_until(lambda: all(worker.logged("job finished") for worker in workers), within=60, every=0.2)
        stack.make("c_up")
        assert len(stack.containers("backend")) == 1
    assert set(load.outcomes) <= ANSWERED
    await wait_until(lambda: all(map(stack.prediction, load.accepted)), within=60, every=0.2)


async def test_the_proxy_can_run_several_processes(stack: Stack) -> None:
    stack.make("c_up", WORKERS="2")
    proxy = stack.container("proxy")
    models, processes = 2, 2
    await wait_until(lambda: proxy.logged("model served") == models * processes)
    job_id = stack.get("/predict/test").json()["job_id"]
    await wait_until(lambda: stack.prediction(job_id), within=60)
    stack.make("c_up")


async def test_four_processes_in_the_proxy_answer_every_large_image_and_none_of_them_is_killed(stack: Stack) -> None:
    """Each of them decodes 400 MB at a time, which is more than the memory that one process needs."""
    stack.make("c_up", WORKERS="4")
    proxy = stack.container("proxy")
    load = Load(stack.url, png((7071, 7071), RGBA))
    load.burst(32)
    assert set(load.outcomes) <= ANSWERED | {"503"}
    assert proxy.logged("server process ended") == proxy.restarts == 0
    stack.make("c_up")
