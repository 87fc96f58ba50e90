"""Whatever an image is made of, the answer is one of those that are documented, and the service goes on."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.broken_images import broken_images
from tests.chaos.overload import sizes
from tests.chaos.service import Service
from tests.support.waiting import wait_until

DOCUMENTED = {200, 400, 413, 415, 422, 503, 504}


@dataclass
class Answered:
    statuses: Counter[int] = field(default_factory=Counter)
    undocumented: list[tuple[int, str, bytes]] = field(default_factory=list)


async def post_broken_images(service: Service, seed: int, count: int) -> Answered:
    answered = Answered()
    async with service.client() as client:
        for media_type, image in broken_images(seed, count):
            answer = await client.post("/predict", content=image, headers={"content-type": media_type})
            answered.statuses[answer.status_code] += 1
            if answer.status_code not in DOCUMENTED or (
                answer.status_code == 503 and "retry-after" not in answer.headers
            ):
                answered.undocumented.append((answer.status_code, answer.text, image))
    return answered


async def test_broken_images_get_documented_answers_and_do_no_harm(service: Service) -> None:
    await post_broken_images(service, seed=1, count=50)
    before, pids = sizes(service), {name: process.pid for name, process in service.processes.items()}
    answered = await post_broken_images(service, seed=2, count=400)
    assert answered.undocumented == []
    assert {200, 415, 422} <= set(answered.statuses), "some can still be read, some can't, some are of another type"
    await wait_until(service.is_idle)
    assert all(process.running and process.running.poll() is None for process in service.processes.values())
    assert {name: process.pid for name, process in service.processes.items()} == pids
    assert all(size - before[name] < 30 for name, size in sizes(service).items())
