"""Looks into Redis behind the job store's back, and makes time pass there without waiting."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import cast

from redis.asyncio import Redis

from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import Job, JobStore
from job_store.keys import WORKERS
from tests.job_store.jobs import found


async def contents(redis: Redis) -> Mapping[str, bytes]:
    """Everything Redis holds, to the byte: also which entries are pending, since when and how often delivered."""
    return {key: cast(bytes, await redis.dump(key)) for key in sorted(await keys(redis))}


async def keys(redis: Redis) -> set[str]:
    return {key.decode() async for key in redis.scan_iter()}


async def wait_until_so(condition: Callable[[], Awaitable[bool]]) -> None:
    """`wait_until` for a condition that has to ask Redis."""
    asks: Callable[[], bool | Awaitable[bool]] = condition
    await wait_until(asks)


async def entries(store: JobStore) -> dict[bytes, str]:
    """Each entry of the backlog and the id of the job in it, oldest first."""
    listed = cast(list[tuple[bytes, dict[bytes, bytes]]], await store.redis.xrange(store.keys.backlog))
    return {entry: fields[b"id"].decode() for entry, fields in listed}


async def backlog(store: JobStore) -> list[str]:
    """The ids of the jobs that wait or are worked on, oldest entry first."""
    return list((await entries(store)).values())


async def pending(store: JobStore) -> list[str]:
    """The ids of the jobs under a lease, run out or not, oldest entry first."""
    listed = await entries(store)
    held = await store.redis.xpending_range(store.keys.backlog, WORKERS, "-", "+", 1_000)
    return [listed[cast(bytes, entry["message_id"])] for entry in held]


async def let_lease_run_out(store: JobStore, job_id: str) -> None:
    """Make the job's entry look idle for as long as a lease lasts, so that no test has to wait that long."""
    entry = cast(bytes, await store.redis.hget(store.keys.job(job_id), "entry"))
    idle = int(store.policy.lease / timedelta(milliseconds=1))
    aged = await store.redis.xclaim(store.keys.backlog, WORKERS, WORKERS, 0, [entry], idle=idle, justid=True)
    assert aged == [entry]


async def let_pass(steps: int) -> None:
    """Let every task take that many steps."""
    for _ in range(steps):
        await asyncio.sleep(0)


async def expire(store: JobStore, job_id: str) -> None:
    """Do what Redis does when a job's time to live is over."""
    assert await store.redis.delete(store.keys.job(job_id), store.keys.payload(job_id)) == 2


@asynccontextmanager
async def commands_sent(redis: Redis) -> AsyncIterator[list[str]]:
    """The names of the commands that clients send meanwhile, in order. What a script runs is not sent."""
    sent: list[str] = []
    address = redis.connection_pool.connection_kwargs
    async with Redis(host=address["host"], port=address["port"]) as onlooker, onlooker.monitor() as monitor:
        yield sent
        await redis.echo("that was all")
        async for command in monitor.listen():
            if command["command"] == "ECHO that was all":
                break
            if command["client_type"] != "lua":
                sent.append(command["command"].split()[0])


@asynccontextmanager
async def ends_announced(store: JobStore) -> AsyncIterator[list[Job]]:
    """Each job whose end is announced meanwhile, as it is at that moment. Complete once the context is left."""
    ended: list[Job] = []
    async with store.redis.pubsub(ignore_subscribe_messages=True) as subscription:

        async def listen() -> None:
            async for message in subscription.listen():
                if message["data"] == b"that was all":
                    break
                ended.append(await found(store, message["data"].decode()))

        await subscription.subscribe(store.keys.ended)
        await subscription.get_message(timeout=5)  # the subscription is up
        listener = asyncio.create_task(listen())
        try:
            yield ended
        finally:
            await store.redis.publish(store.keys.ended, "that was all")
            await listener


@contextmanager
def hung(server: RedisServer) -> Iterator[None]:
    """Redis accepts connections and answers nothing."""
    server.send(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send(signal.SIGCONT)
