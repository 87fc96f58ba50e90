"""Redis is killed, full, unreachable or slow; its response is lost; the proxy is killed while it waits for one."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from tests.chaos.chaos_stack import ChaosStack
from tests.chaos.fault import Fault, wait_for_trigger
from tests.chaos.small_models import PNG
from tests.chaos.tcp_link import TcpLink
from tests.chaos.worker_faults import FINISH

SLOW_LINK_DURATION_S: Final = 2.0
FULL_DURATION_S: Final = 1.0


async def kill_redis(stack: ChaosStack) -> None:
    await asyncio.to_thread(stack.redis.kill)
    await stack.redis.start()


async def fill_redis(stack: ChaosStack) -> None:
    redis = stack.store.redis
    await redis.config_set("maxmemory", 1)
    await asyncio.sleep(FULL_DURATION_S)
    await redis.config_set("maxmemory", 0)


async def partition_redis(stack: ChaosStack, outage: timedelta) -> None:
    """Data in transit arrives after the outage."""
    for link in stack.redis_links:
        link.stall()
    await asyncio.sleep(outage.total_seconds())
    for link in stack.redis_links:
        link.restore()


async def slow_down(links: Sequence[TcpLink], delay_s: float) -> None:
    for link in links:
        link.delay_s, link.bytes_per_s = delay_s, 100_000
    await asyncio.sleep(SLOW_LINK_DURATION_S)
    for link in links:
        link.restore()


async def slow_down_redis(stack: ChaosStack) -> None:
    await slow_down(stack.redis_links, delay_s=0.05)


async def slow_down_redis_past_timeout(stack: ChaosStack) -> None:
    """Redis accepts each job, but its response reaches the proxy after the timeout."""
    await slow_down(stack.redis_links, delay_s=0.2)


async def slow_down_models(stack: ChaosStack) -> None:
    await slow_down(stack.model_links, delay_s=0.2)


async def lose_submit_response(stack: ChaosStack) -> None:
    """Redis stores the job, but the proxy receives no response."""
    await lose_response(stack.redis_link, PNG)


async def lose_finish_response(stack: ChaosStack) -> None:
    """Redis stores the result, but the worker receives no response."""
    await lose_response(stack.target_worker.redis_link, FINISH)


async def lose_response(link: TcpLink, request: bytes) -> None:
    await wait_for_trigger(link.stall_at(request, "request", forward=True))
    await asyncio.sleep(0.05)  # Redis executes the command
    link.cut()
    link.restore()


async def kill_proxy_before_response(stack: ChaosStack) -> None:
    """Redis stores the job, but the client never receives its id."""
    await wait_for_trigger(stack.redis_link.stall_at(PNG, "request", forward=True))
    stack.proxy.kill()
    stack.redis_link.cut()
    stack.redis_link.restore()
    stack.proxy.start()


def faults(outage: timedelta) -> list[Fault]:
    return [
        Fault("proxy killed between commit and response", kill_proxy_before_response),
        Fault("Redis killed and restarted", kill_redis),
        Fault("Redis full", fill_redis),
        Fault(f"Redis unreachable for {outage.seconds} s", partial(partition_redis, outage=outage)),
        Fault("slow link to Redis: 100 ms round trip", slow_down_redis),
        Fault("slow link to Redis: beyond the proxy's timeout", slow_down_redis_past_timeout),
        Fault("slow links to the models: 400 ms round trip", slow_down_models),
        Fault("Redis's response to a submit lost", lose_submit_response),
        Fault("Redis's response to a result lost", lose_finish_response),
    ]
