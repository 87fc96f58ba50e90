"""Open-loop load: posts at a fixed rate, no matter how long responses take."""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median, quantiles

from tests.chaos.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Latencies:
    """Measured from when each post was due, so that a delayed post counts as slow."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        return median(self.seconds) * 1000

    @property
    def p95_ms(self) -> float:
        return quantiles(self.seconds, n=20)[-1] * 1000


async def post_at_rate(rate: float, traffic: Traffic, duration_s: float) -> Latencies:
    """Post `rate` images a second for `duration_s` seconds."""
    latencies = Latencies()
    started = time.monotonic()

    async def post(due: float) -> None:
        await traffic.post()
        latencies.seconds.append(time.monotonic() - due)

    async with asyncio.TaskGroup() as posts:
        for number in range(int(rate * duration_s)):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            posts.create_task(post(due))
    return latencies
