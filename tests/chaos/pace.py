"""Posts at a rate, however long the answers take: users do not wait for each other."""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median, quantiles

from tests.chaos.traffic import Traffic


@dataclass
class Answers:
    """Seconds from when each post was due until it was answered, and how many came with an id."""

    seconds: list[float] = field(default_factory=list)
    with_an_id: int = 0

    @property
    def median_ms(self) -> float:
        return median(self.seconds) * 1000

    @property
    def p95_ms(self) -> float:
        return quantiles(self.seconds, n=20)[-1] * 1000


async def post_at(rate: float, traffic: Traffic, span_s: float) -> Answers:
    """Post `rate` images a second for `span_s` seconds."""
    answers = Answers()
    began = time.monotonic()

    async def post(due: float) -> None:
        answers.with_an_id += await traffic.post() is not None
        answers.seconds.append(time.monotonic() - due)

    async with asyncio.TaskGroup() as posts:
        for number in range(int(rate * span_s)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            posts.create_task(post(due))
    return answers
