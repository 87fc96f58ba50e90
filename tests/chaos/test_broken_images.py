"""Whatever an image is made of, the answer is one of those that are documented, and the service goes on."""

from harness.waiting import wait_until
from tests.chaos.image_fuzz import post_broken_images
from tests.chaos.overload import sizes
from tests.chaos.service import Service


async def test_broken_images_get_documented_answers_and_do_no_harm(service: Service) -> None:
    await post_broken_images(service, seed=1, count=50)
    before, pids = sizes(service), {name: process.pid for name, process in service.processes.items()}
    answered = await post_broken_images(service, seed=2, count=400)
    assert answered.undocumented == []
    assert {200, 415, 422} <= set(answered.statuses), "some can still be read, some can't, some are of another type"
    await wait_until(service.is_idle)
    assert all(process.is_running for process in service.processes.values())
    assert {name: process.pid for name, process in service.processes.items()} == pids
    assert all(size - before[name] < 30 for name, size in sizes(service).items())
