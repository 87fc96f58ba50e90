"""Checks that Redis keeps accepted jobs: it must not evict keys, and it must have a single primary."""

import asyncio
from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

import service_log
from job_store.connection import redis_errors
from job_store.errors import StoreUnavailable, UnsuitableRedis
from job_store.store import JobStore

NO_EVICTION: Final = "noeviction"
RETRY_INTERVAL_S: Final = 1.0


async def check_redis(redis: Redis) -> None:
    """Raise `UnsuitableRedis` if Redis can lose accepted jobs, and log a warning where it does not say.

    Raises `StoreUnavailable` when Redis does not respond.
    """
    with redis_errors():
        await _check_eviction(redis)
        await _check_primaries(redis)


async def _check_eviction(redis: Redis) -> None:
    settings = await _memory_settings(redis)
    policy, maxmemory = settings.get("policy"), settings.get("maxmemory")
    if policy is None or maxmemory is None:
        service_log.get_logger().warning(
            "eviction possible",
            error=f"Redis does not say whether it evicts keys: make sure that its maxmemory-policy is {NO_EVICTION}",
        )
    elif policy != NO_EVICTION and int(maxmemory) > 0:
        raise UnsuitableRedis(
            f"Redis evicts keys when its memory is full (maxmemory-policy {policy}), which would lose accepted jobs: "
            f"set maxmemory-policy to {NO_EVICTION}"
        )
    elif policy != NO_EVICTION:  # without a limit it evicts nothing, until a limit is set
        service_log.get_logger().warning(
            "eviction possible",
            error=f"Redis would evict jobs if its maxmemory were set: set its maxmemory-policy to {NO_EVICTION}",
        )


async def _memory_settings(redis: Redis) -> Mapping[str, str]:
    """Return `policy` and `maxmemory`, as far as Redis gives them. Managed services often forbid CONFIG."""
    try:
        config = await redis.config_get("maxmemory*")
        return {"policy": str(config["maxmemory-policy"]), "maxmemory": str(config["maxmemory"])}
    except (ResponseError, KeyError):
        info = await _info(redis, "memory")
        names = {"policy": "maxmemory_policy", "maxmemory": "maxmemory"}
        return {name: str(info[field]) for name, field in names.items() if field in info}


async def _check_primaries(redis: Redis) -> None:
    if str((await _info(redis, "cluster")).get("cluster_enabled", 0)) != "1":
        return
    try:
        state = await redis.cluster("INFO")
    except ResponseError as error:
        raise UnsuitableRedis(f"Redis Cluster is not supported, and CLUSTER INFO failed: {error}") from error
    primaries = int(state["cluster_size"])
    if primaries > 1:
        raise UnsuitableRedis(
            f"Redis Cluster is not supported: this one has {primaries} primaries, and all jobs would be on one of "
            "them; use a Redis with a single primary"
        )


async def _info(redis: Redis, section: str) -> Mapping[str, object]:
    try:
        return dict(await redis.info(section))
    except ResponseError:
        return {}


async def check_redis_when_up(*stores: JobStore) -> None:
    """Check the stores' Redis as soon as it responds. If it is unsuitable, all of them refuse jobs from then on."""
    while True:
        try:
            await check_redis(stores[0].redis)
            return
        except UnsuitableRedis as error:
            for store in stores:
                store.refusal = str(error)
            service_log.get_logger().error("redis unsuitable", error=str(error))
            return
        except StoreUnavailable:
            await asyncio.sleep(RETRY_INTERVAL_S)
