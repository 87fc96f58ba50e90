"""Inspects Redis directly, and expires leases and jobs without waiting."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final, cast

from redis.asyncio import Redis

from harness.redis import RedisServer
from job_store import Job, JobStore
from job_store.keys import WORKERS
from tests.job_store.jobs import get_job

STOP: Final = "stop"
"""Ends the log of commands or notifications."""


async def contents(redis: Redis) -> Mapping[str, bytes]:
    """Dump all keys, including which entries are pending, since when, and how often they were delivered."""
    return {key: cast(bytes, await redis.dump(key)) for key in sorted(await keys(redis))}


async def keys(redis: Redis) -> set[str]:
    return {key.decode() async for key in redis.scan_iter()}


async def entries(store: JobStore) -> dict[bytes, str]:
    """Map each entry of the backlog to its job id, oldest first."""
    listed = cast(list[tuple[bytes, dict[bytes, bytes]]], await store.redis.xrange(store.keys.backlog))
    return {entry: fields[b"id"].decode() for entry, fields in listed}


async def backlog(store: JobStore) -> list[str]:
    """List the ids of the queued and processing jobs, oldest entry first."""
    return list((await entries(store)).values())


async def pending(store: JobStore) -> list[str]:
    """List the ids of the claimed jobs, including those with an expired lease, oldest entry first."""
    job_ids = await entries(store)
    claimed = await store.redis.xpending_range(store.keys.backlog, WORKERS, "-", "+", 1_000)
    return [job_ids[cast(bytes, entry["message_id"])] for entry in claimed]


async def subscribers(store: JobStore) -> list[str]:
    """List the ids of the subscribed connections."""
    return [client["id"] for client in await store.redis.client_list(_type="pubsub")]


async def is_subscribed(store: JobStore) -> bool:
    return bool((await store.redis.pubsub_numsub(store.keys.ended))[0][1])


async def reads(store: JobStore) -> int:
    """Count the reads of jobs since the last `config_resetstat`."""
    commands = await store.redis.info("commandstats")
    return int(commands["cmdstat_hgetall"]["calls"]) if "cmdstat_hgetall" in commands else 0


async def expire_lease(store: JobStore, job_id: str) -> None:
    """Make the job's entry appear idle for the length of a lease."""
    entry = cast(bytes, await store.redis.hget(store.keys.job(job_id), "entry"))
    idle = int(store.policy.lease / timedelta(milliseconds=1))
    aged = await store.redis.xclaim(store.keys.backlog, WORKERS, WORKERS, 0, [entry], idle=idle, justid=True)
    assert aged == [entry]


async def expire_job(store: JobStore, job_id: str) -> None:
    """Delete the keys that Redis deletes when the job's time to live is over."""
    assert await store.redis.delete(store.keys.job(job_id), store.keys.payload(job_id)) == 2


async def run_event_loop(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


@contextmanager
def client_in(runner: asyncio.Runner, server: RedisServer) -> Iterator[Redis]:
    redis = server.client()
    try:
        yield redis
    finally:
        runner.run(redis.aclose())


@asynccontextmanager
async def sent_commands(redis: Redis) -> AsyncIterator[list[str]]:
    """Log the names of the commands that clients send, in order, without those that scripts run."""
    commands: list[str] = []
    address = redis.connection_pool.connection_kwargs
    async with Redis(host=address["host"], port=address["port"]) as observer, observer.monitor() as monitor:
        yield commands
        await redis.echo(STOP)
        async for command in monitor.listen():
            if command["command"] == f"ECHO {STOP}":
                break
            if command["client_type"] != "lua":
                commands.append(command["command"].split()[0])


@asynccontextmanager
async def notifications(store: JobStore) -> AsyncIterator[list[Job]]:
    """Log each job whose end is published, as it is at that moment. The log is complete after the context."""
    ended: list[Job] = []
    async with store.redis.pubsub(ignore_subscribe_messages=True) as pubsub:

        async def receive() -> None:
            async for message in pubsub.listen():
                if message["data"] == STOP.encode():
                    break
                ended.append(await get_job(store, message["data"].decode()))

        await pubsub.subscribe(store.keys.ended)
        await pubsub.get_message(timeout=5)  # the confirmation of the subscription
        receiver = asyncio.create_task(receive())
        try:
            yield ended
        finally:
            await store.redis.publish(store.keys.ended, STOP)
            await receiver


@contextmanager
def stall(server: RedisServer) -> Iterator[None]:
    """Make Redis accept connections without replying."""
    server.send(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send(signal.SIGCONT)
