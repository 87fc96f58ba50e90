from typing import Final

from harness.waiting import wait_until
from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.fault import wait_for_trigger
from tests.chaos.small_models import PNG
from tests.chaos.traffic import Load, Samples, Traffic

DELAY_S: Final = 0.6


async def test_a_worker_that_lost_its_connection_reconnects_over_a_slow_link(
    stack: ChaosStack, samples: Samples
) -> None:
    worker = stack.target_worker
    async with stack.client() as client, Traffic(client, samples).closed_loop(Load(samples)):
        try:
            await wait_for_trigger(worker.model_link.stall_at(PNG, "request", forward=False))
            worker.model_link.cut()
            worker.model_link.restore()
            worker.model_link.delay_s = DELAY_S
            await wait_until(lambda: worker.process.logged("model unavailable", "UNAVAILABLE"))
            before = worker.process.logged("job finished")
            await wait_until(lambda: worker.process.logged("job finished") > before)
        finally:
            worker.model_link.restore()
    await stack.wait_until_idle()
