"""SIGTERM arrives everywhere, and `make c_down` leaves nothing but the jobs."""

import signal

from harness.waiting import wait_until
from tests.compose.compose_stack import Stack
from tests.compose.test_containers import SERVICES
from tests.compose.variants import in_one_variant
from tests.compose.visitors import Visitors

BY_ITSELF = {0, 128 + signal.SIGTERM}
"""A container whose grace was over ends with 137 instead."""


@in_one_variant
async def test_a_worker_told_to_stop_ends_cleanly_and_leaves_no_job_behind(stack: Stack, cat: bytes) -> None:
    worker = stack.container("backend")
    with Visitors(stack.url, cat) as visitors:
        await wait_until(lambda: worker.logged("job finished") > 2)
        worker.stop()
        assert worker.state["ExitCode"] == 0
        left = [job_id for job_id in visitors.accepted if not stack.prediction(job_id)]
        await wait_until(lambda: len(visitors.accepted) > len(left) + 2)
        worker.start()
    await wait_until(lambda: all(map(stack.prediction, visitors.accepted)), within=60, every=0.2)


@in_one_variant
async def test_c_down_leaves_the_jobs_and_the_next_c_up_finds_them(stack: Stack) -> None:
    job_id = stack.get("/predict/test").json()["job_id"]
    label = await wait_until(lambda: stack.prediction(job_id), within=60)
    stack.make("c_down")
    assert stack.remains().keys() == {"volumes"}
    stack.make("c_up")
    assert stack.prediction(job_id) == label


def test_every_container_ends_by_itself_when_it_is_told_to_and_in_the_end_nothing_is_left(stack: Stack) -> None:
    stack.compose("stop")
    ended = {container.service: container.state["ExitCode"] for container in stack.containers()}
    assert ended.keys() == set(SERVICES)
    assert set(ended.values()) <= BY_ITSELF
    stack.make("c_down")
    assert stack.remains().keys() == {"volumes"}
    stack.remove()
    assert stack.remains() == {}
