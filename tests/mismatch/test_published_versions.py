"""A bad version is published under the running service: it says so, and all waiting jobs survive."""

import signal

import pytest

from tests.chaos.small_models import image_of
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
    await breakable.wait_for_readiness(503, "ng")
    await breakable.publish()
    await breakable.assert_all_succeed(job_ids)
    await breakable.wait_until_answered()
    await breakable.wait_for_readiness(200, "ok")


async def test_a_version_that_cannot_be_loaded_is_named_while_the_previous_one_is_served(breakable: Breakable) -> None:
    await breakable.wait_until_answered()
    counts = breakable.log_counts("version not loaded", "")
    versions = breakable.publish_corrupt()
    await breakable.wait_for_states(versions, "END")
    answer = await breakable.post()
    assert answer.is_success
    await breakable.wait_for_log("version not loaded", "", counts)
    await breakable.publish()
    assert (await breakable.post()).is_success


async def test_a_model_of_which_no_version_is_loaded_costs_no_job(breakable: Breakable) -> None:
    await breakable.wait_until_answered()
    unloaded, not_loaded = "the server has unloaded every version", "the server could not load version"
    counts = [breakable.log_counts("model mismatch", cause) for cause in (unloaded, not_loaded)]
    await breakable.wait_for_states(breakable.remove_all_versions(), "END")
    job_ids = await breakable.submit()
    await assert_refused(breakable, unloaded)
    await breakable.wait_for_log("model mismatch", unloaded, counts[0])
    await breakable.wait_for_states(breakable.publish_corrupt(), "END")
    await breakable.wait_for_log("model mismatch", not_loaded, counts[1])
    await assert_refused(breakable, not_loaded)
    await breakable.publish()
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
