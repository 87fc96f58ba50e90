"""An image that the fast model accepts, but that crashes the accurate model or gets no valid scores from it."""

import asyncio
from typing import Final

from harness.waiting import wait_until
from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.fault import Fault
from tests.chaos.model_faults import RECOVERY_TIMEOUT_S
from tests.chaos.small_models import NAN_BLUE, image_of
from tests.chaos.tcp_link import TcpLink

CRASH: Final = b"this image kills the model server"
DEAD_LETTER_TIMEOUT_S: Final = 120.0
"""For three attempts, each of which may restart the model server twice."""


async def crash_model_on_poison(stack: ChaosStack) -> None:
    """Kill the accurate model server whenever it receives the poison, and restart it as a supervisor would."""
    tasks = [asyncio.create_task(kill_on_poison(stack, worker.model_link)) for worker in stack.linked_workers]
    try:
        await wait_for_dead_letter(stack)
    finally:
        for task in tasks:
            task.cancel()
        for worker in stack.linked_workers:
            worker.model_link.restore()


async def kill_on_poison(stack: ChaosStack, link: TcpLink) -> None:
    while True:
        await link.stall_at(CRASH, "request", forward=True).wait()
        await asyncio.to_thread(stack.accurate.kill)
        link.cut()  # drops the response if the model responded before it was killed
        link.restore()
        stack.accurate.start()


async def wait_for_dead_letter(stack: ChaosStack) -> None:
    async def dead_letters() -> int:
        return int(await stack.store.redis.zcard(stack.store.keys.dead_letters))

    before = await dead_letters()

    async def has_new_dead_letter() -> bool:
        return await dead_letters() > before

    await wait_until(has_new_dead_letter, within=DEAD_LETTER_TIMEOUT_S)


FAULTS: Final = [
    Fault(
        "poison: an image that kills the accurate model",
        crash_model_on_poison,
        poison=image_of(0, comment=CRASH.decode()),
        is_slow=True,
        recovery_timeout_s=RECOVERY_TIMEOUT_S,
    ),
    Fault("poison: an image with no finite score", wait_for_dead_letter, poison=image_of(0, blue=NAN_BLUE)),
]
