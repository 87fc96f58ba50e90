"""Redis is killed, full, out of reach or slow; an answer of it is lost on its way; a proxy dies of waiting for one."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from tests.chaos.fault import Fault, reached
from tests.chaos.link import Link
from tests.chaos.service import Service
from tests.chaos.small_models import PNG
from tests.chaos.worker_faults import FINISH

SLOW_FOR_S: Final = 2.0
FULL_FOR_S: Final = 1.0


async def redis_is_killed(service: Service) -> None:
    await asyncio.to_thread(service.redis.kill)
    await service.redis.start()


async def redis_is_full(service: Service) -> None:
    redis = service.store.redis
    await redis.config_set("maxmemory", 1)
    await asyncio.sleep(FULL_FOR_S)
    await redis.config_set("maxmemory", 0)


async def redis_is_out_of_reach(service: Service, span: timedelta) -> None:
    """What is on its way arrives late, when it is within reach again."""
    for link in service.redis_links:
        link.stall()
    await asyncio.sleep(span.total_seconds())
    for link in service.redis_links:
        link.restore()


async def way_is_slow(links: Sequence[Link], delay_s: float) -> None:
    for link in links:
        link.delay_s, link.bytes_per_s = delay_s, 100_000
    await asyncio.sleep(SLOW_FOR_S)
    for link in links:
        link.restore()


async def way_to_redis_is_slow(service: Service) -> None:
    await way_is_slow(service.redis_links, delay_s=0.05)


async def way_to_redis_is_too_slow_for_the_proxy(service: Service) -> None:
    """Redis accepts each job, and says so when the proxy no longer waits for it."""
    await way_is_slow(service.redis_links, delay_s=0.2)


async def way_to_the_models_is_slow(service: Service) -> None:
    await way_is_slow(service.model_links, delay_s=0.2)


async def answer_to_a_submit_is_lost(service: Service) -> None:
    """Redis has the job, and the proxy does not know."""
    await lose_answer(service.to_redis, PNG)


async def answer_to_a_record_is_lost(service: Service) -> None:
    """Redis has the result, and the worker does not know."""
    await lose_answer(service.victim.to_redis, FINISH)


async def lose_answer(link: Link, word: bytes) -> None:
    await reached(link.stop_at(word, "request", delivered=True))
    await asyncio.sleep(0.05)  # Redis needs a moment to do it
    link.cut()
    link.restore()


async def proxy_is_killed_before_it_answers(service: Service) -> None:
    """Redis has the job, and the client never gets its id."""
    await reached(service.to_redis.stop_at(PNG, "request", delivered=True))
    service.proxy.kill()
    service.to_redis.cut()
    service.to_redis.restore()
    service.proxy.start()


def faults(outage: timedelta) -> list[Fault]:
    return [
        Fault("proxy killed between commit and answer", proxy_is_killed_before_it_answers),
        Fault("Redis killed and started again", redis_is_killed),
        Fault("Redis full", redis_is_full),
        Fault(f"Redis out of reach for {outage.seconds} s", partial(redis_is_out_of_reach, span=outage)),
        Fault("slow way to Redis: 100 ms a round trip", way_to_redis_is_slow),
        Fault("slow way to Redis: past the proxy's time-out", way_to_redis_is_too_slow_for_the_proxy),
        Fault("slow way to the models: 400 ms a round trip", way_to_the_models_is_slow),
        Fault("Redis's answer to a submit lost", answer_to_a_submit_is_lost),
        Fault("Redis's answer to a record lost", answer_to_a_record_is_lost),
    ]
