"""SIGTERM reaches all processes, and `make c_down` leaves only the jobs."""

import signal
from typing import Final

from harness.waiting import wait_until
from tests.compose.compose_stack import SERVICES, Stack
from tests.compose.load import Load
from tests.compose.variants import in_one_variant

CLEAN_EXIT_CODES: Final = {0, 128 + signal.SIGTERM}
"""A container that exceeds its stop grace period exits with 137."""


@in_one_variant
async def test_a_stopped_worker_exits_cleanly_and_loses_no_job(stack: Stack, cat: bytes) -> None:
    worker = stack.container("backend")
    with Load(stack.url, cat) as load:
        await wait_until(lambda: worker.logged("job finished") > 2)
        worker.stop()
        assert worker.state["ExitCode"] == 0
        unfinished = [job_id for job_id in load.accepted if not stack.prediction(job_id)]
        await wait_until(lambda: len(load.accepted) > len(unfinished) + 2)
        worker.start()
    await wait_until(lambda: all(map(stack.prediction, load.accepted)), within=60, every=0.2)


@in_one_variant
async def test_jobs_survive_c_down_and_c_up(stack: Stack) -> None:
    job_id = stack.get("/predict/test").json()["job_id"]
    label = await wait_until(lambda: stack.prediction(job_id), within=60)
    stack.make("c_down")
    assert stack.leftovers().keys() == {"volumes"}
    stack.make("c_up")
    assert stack.prediction(job_id) == label


def test_every_container_exits_on_sigterm_and_removing_the_stack_leaves_nothing(stack: Stack) -> None:
    stack.compose("stop")
    exit_codes = {container.service: container.state["ExitCode"] for container in stack.containers()}
    assert exit_codes.keys() == set(SERVICES)
    assert set(exit_codes.values()) <= CLEAN_EXIT_CODES
    stack.make("c_down")
    assert stack.leftovers().keys() == {"volumes"}
    stack.remove()
    assert stack.leftovers() == {}
