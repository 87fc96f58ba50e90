"""No interleaving of a few workers' steps loses a job, leaves one unfinished, or changes one that has ended."""

import hashlib
from typing import Final

import pytest
from redis.asyncio import Redis

from job_store.scripts import Script
from tests.job_store.exploration import Deviation, Exploration


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "jobs", "faults"), [(2, 2, 2), (3, 1, 3), (2, 1, 4)])
async def test_the_store_agrees_with_the_model_in_every_interleaving(
    redis: Redis, workers: int, jobs: int, faults: int
) -> None:
    states = await Exploration(redis).run(workers=workers, jobs=jobs, faults=faults)
    assert states > 150


DEFECTS: Final = {
    "end, without the token": ("end", "if current_token ~= token then return 0 end", ""),
    "end, without the status": ("end", "if status ~= 'processing' then return 0 end", ""),
    "end, repeated": ("end", "if status == new_status then return 1 end", ""),
    "end, without removing the entry": ("end", "redis.call('XDEL', backlog, entry)", ""),
    "claim, without reclaiming": ("claim", "claim(entry, claimed[2][2])", ""),
    "claim, of queued jobs while a lease has expired": ("claim", "elseif expired[1] then", "elseif false then"),
    "claim, without an attempt limit": ("claim", "if attempt > max_attempts", "if false"),
    "claim, without a new token": ("claim", "redis.call('HINCRBY', job, 'token', 1)", "1"),
    "claim, with an early acknowledgement": (
        "claim",
        "local attempt, token =",
        "redis.call('XACK', backlog, group, entry) local attempt, token =",
    ),
    "requeue, without the token": ("requeue", " or current_token ~= token", ""),
    "extend, without the token": ("extend", " or current_token ~= token", ""),
    "end, without releasing the quota": ("end", "release_owned(root, redis.call('HGET', job, 'owner'), id)", ""),
    "claim, without releasing the quota": ("claim", "release_owned(root, redis.call('HGET', job, 'owner'), id)", ""),
    "replay, without using the quota": ("replay", "redis.call('ZADD', unfinished, now + ttl_ms, id)", ""),
    "replay, without new attempts": ("replay", ", 'attempts', 0", ""),
}


@pytest.mark.parametrize(("name", "original", "defective"), DEFECTS.values(), ids=list(DEFECTS))
async def test_the_exploration_detects_a_defective_script(
    redis: Redis, name: str, original: str, defective: str
) -> None:
    exploration = Exploration(redis)
    script: Script = getattr(exploration.dead_letters if name == "replay" else exploration.store, f"_{name}")
    assert original in script._source
    script._source = script._source.replace(original, defective)
    script._digest = hashlib.sha1(script._source.encode()).hexdigest()
    with pytest.raises(Deviation):
        await exploration.run(workers=2, jobs=1, faults=2)
