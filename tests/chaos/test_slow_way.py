"""A way to the model that has become slow is slow, and no more than that."""

from harness.waiting import wait_until
from tests.chaos.fault import reached
from tests.chaos.service import Service
from tests.chaos.small_models import PNG
from tests.chaos.traffic import Load, Pictures, Traffic

SLOW_S = 0.6


async def test_a_worker_that_lost_its_connection_goes_on_over_a_slow_one(service: Service, pictures: Pictures) -> None:
    worker, load = service.victim, Load(pictures)
    async with service.client() as client, Traffic(client, pictures).flowing(load):
        try:
            await reached(worker.to_model.stop_at(PNG, "request", delivered=False))
            worker.to_model.cut()
            worker.to_model.restore()
            worker.to_model.delay_s = SLOW_S
            await wait_until(lambda: worker.process.logged("model unavailable", "UNAVAILABLE"))
            before = worker.process.logged("job finished")
            await wait_until(lambda: worker.process.logged("job finished") > before)
        finally:
            worker.to_model.restore()
    await wait_until(service.is_idle)
