"""A bad version is published under the running service: it says so, and all waiting jobs survive."""

import signal

import pytest

from tests.chaos.small_models import ACCURATE, FAST, image_of
from tests.mismatch.breakable import JOBS, Breakable
from tests.mismatch.broken_models import BROKEN, Break

pytestmark = pytest.mark.timeout(240)
MISMATCH = "urn:sync-async:problem:model-mismatch"


@pytest.mark.parametrize(("breaks", "cause"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_bad_version_is_named_and_costs_no_job(breakable: Breakable, breaks: Break, cause: str) -> None:
    await breakable.wait_until_answered()
    counts = breakable.log_counts("model mismatch", cause)
    breakable.stack.worker.send(signal.SIGSTOP)  # it has checked the good version when it finds the jobs
    job_ids = [(await breakable.post(number)).json()["job_id"] for number in range(JOBS)]
    await breakable.publish(breaks)
    breakable.stack.worker.send(signal.SIGCONT)
    await assert_refused(breakable, cause)
    await breakable.wait_for_log("model mismatch", cause, counts)
    await breakable.publish()
    await breakable.assert_all_succeed(job_ids)
    await breakable.wait_until_answered()


async def test_a_model_of_which_every_version_is_unloaded_costs_no_job(breakable: Breakable) -> None:
    await breakable.wait_until_answered()
    cause = "the server has unloaded every version"
    counts = breakable.log_counts("model mismatch", cause)
    newest = {}
    for model in (FAST, ACCURATE):
        base_path = breakable.stack.models / model
        numbers = [int(child.name) for child in base_path.iterdir() if child.name.isdecimal()]
        newest[model] = max(numbers)
        for number in numbers:
            (base_path / str(number)).rename(base_path / f"removed-{number}")
    await breakable.wait_for_states(newest, "END")
    job_ids = await breakable.submit()
    await assert_refused(breakable, cause)
    await breakable.wait_for_log("model mismatch", cause, counts)
    for model, number in newest.items():
        base_path = breakable.stack.models / model
        (base_path / f"removed-{number}").rename(base_path / str(number + 1))
    await breakable.assert_all_succeed(job_ids)
    await breakable.wait_until_answered()


async def assert_refused(breakable: Breakable, cause: str) -> None:
    response = await breakable.post()
    assert response.status_code == 503
    problem = response.json()
    assert problem["type"] == MISMATCH
    assert cause in problem["detail"]
    assert "127.0.0.1" not in problem["detail"]
    assert response.headers["retry-after"]


async def test_a_broken_image_is_refused_as_such_while_the_model_is_right(breakable: Breakable) -> None:
    await breakable.wait_until_answered()
    for _ in range(20):
        cut_off = image_of(1)[:-30]
        response = await breakable.client.post("/predict", content=cut_off, headers={"content-type": "image/png"})
        assert response.status_code == 422
