"""An image that the fast model reads, and that the accurate one dies of or has no answer to."""

import asyncio
from typing import Final

from harness.waiting import wait_until
from tests.chaos.fault import Fault
from tests.chaos.link import Link
from tests.chaos.model_faults import RECOVERS_WITHIN_S
from tests.chaos.service import Service
from tests.chaos.small_models import NONSENSE, image_of

DEADLY: Final = b"this image kills the model server"
FAILS_WITHIN_S: Final = 120.0
"""Three attempts, each of which ends one or two model servers that take seconds to start."""


async def kills_the_model(service: Service) -> None:
    """Whenever the accurate model gets the image, it is killed, and started again as a supervisor does."""
    executions = [asyncio.create_task(execute(service, worker.to_model)) for worker in service.workers]
    try:
        await until_another_dead_letter(service)
    finally:
        for execution in executions:
            execution.cancel()
        for worker in service.workers:
            worker.to_model.restore()


async def execute(service: Service, link: Link) -> None:
    while True:
        await link.stop_at(DEADLY, "request", delivered=True).wait()
        await asyncio.to_thread(service.accurate.kill)
        link.cut()  # with the answer, should the model have been faster than the killer
        link.restore()
        service.accurate.start()


async def until_another_dead_letter(service: Service) -> None:
    async def dead_letters() -> int:
        return int(await service.store.redis.zcard(service.store.keys.dead_letters))

    before = await dead_letters()

    async def is_there() -> bool:
        return await dead_letters() > before

    await wait_until(is_there, within=FAILS_WITHIN_S)


FAULTS: Final = [
    Fault(
        "poison: an image that kills the accurate model",
        kills_the_model,
        poison=image_of(0, comment=DEADLY.decode()),
        takes_long=True,
        recovers_within_s=RECOVERS_WITHIN_S,
    ),
    Fault("poison: an image with no finite score", until_another_dead_letter, poison=image_of(0, blue=NONSENSE)),
]
