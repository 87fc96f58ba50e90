import asyncio
import itertools
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from harness.process import PYTHON, Process
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import Job, JobStatus, JobStore
from tests.job_store.inspection import backlog, notifications, pending
from tests.job_store.jobs import claim_one, get_job, submit
from tests.job_store.racer import WORKERS

pytestmark = pytest.mark.slow


@asynccontextmanager
async def many_stores(server: RedisServer, number: int = 10) -> AsyncIterator[list[JobStore]]:
    async with AsyncExitStack() as stack:
        yield [JobStore(await stack.enter_async_context(server.client())) for _ in range(number)]


async def test_a_job_is_handed_to_one_of_many_who_claim_at_once(store: JobStore, redis_server: RedisServer) -> None:
    ids = await submit(store, *[b"payload"] * 200)
    async with many_stores(redis_server) as stores:
        results = await asyncio.gather(*(each.claim(3) for each in stores * 10))
    handed_out = [claim.job_id for result in results for claim in result.claims]
    assert sorted(handed_out) == sorted(ids)


async def test_a_job_ends_once_for_all_who_end_it_at_once(store: JobStore, redis_server: RedisServer) -> None:
    async with many_stores(redis_server) as stores, notifications(store) as ended:
        for _ in range(20):
            (job_id,) = await submit(store, b"payload")
            claim = await claim_one(store)
            finishes = [each.finish(claim, {"label": str(number)}) for number, each in enumerate(stores)]
            failures = [each.fail(claim, str(number)) for number, each in enumerate(stores)]
            told = await asyncio.gather(*itertools.chain(*zip(finishes, failures, strict=True)))
            finished, failed = set(told[::2]), set(told[1::2])
            job = await get_job(store, job_id)
            assert (finished, failed) == (({True}, {False}) if job.status is JobStatus.SUCCEEDED else ({False}, {True}))
    assert len(ended) == len({job.id for job in ended}) == 20


async def test_an_id_is_given_to_one_of_many_who_draw_it_at_once(
    redis_server: RedisServer, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = itertools.chain.from_iterable([f"id {number}"] * 10 for number in itertools.count())
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(draws))
    async with many_stores(redis_server) as stores:
        ids = await asyncio.gather(*(each.submit(b"payload", {}) for each in stores))
    assert len(set(ids)) == len(stores)
    assert sorted(await backlog(store)) == sorted(ids)


JOBS, RACERS, VICTIMS = 2_040, 3, 2


@pytest.mark.timeout(240)
async def test_processes_that_race_lose_their_leases_and_die_end_every_job_once(
    store: JobStore, redis_server: RedisServer, tmp_path: Path
) -> None:
    logs = [tmp_path / f"{number}.log" for number in range(RACERS + VICTIMS)]
    shares = [JOBS // RACERS] * RACERS + [0] * VICTIMS
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                Process([PYTHON, "-m", "tests.job_store.racer", redis_server.url, log.stem, str(share)], {}, log)
            )
            for log, share in zip(logs, shares, strict=True)
        ]
        async with notifications(store) as ended:
            await wait_until(lambda: len(ended) > JOBS // 3, within=100)
            racers[-1].kill()
            await wait_until(lambda: len(ended) > JOBS // 2, within=100)
            racers[-2].kill()
            await wait_until(lambda: len(ended) >= JOBS, within=100)
            assert [racer.stop() for racer in racers[:RACERS]] == [0] * RACERS
    said = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    assert Counter(job.id for job in ended) == Counter(line["submitted"] for line in said if "submitted" in line)
    assert await backlog(store) == await pending(store) == []
    assert sum("refused" in line for line in said) > JOBS / 20, "they did race"

    accepted = {line["ended"]: line["as"] for line in said if "ended" in line}
    assert len(accepted) == sum("ended" in line for line in said), "no two ends of one job were accepted"
    for job in ended:
        now = await get_job(store, job.id)
        assert (now.status, now.output, now.error) == (job.status, job.output, job.error)
        if job.id in accepted:
            assert end(job) == accepted[job.id]
    given_up = {job.id for job in ended if end(job).startswith("gave up after 3 attempts")}
    untold = {job.id for job in ended} - set(accepted) - given_up
    assert given_up
    assert len(untold) <= VICTIMS * WORKERS, "what a victim did last it could not say"


def end(job: Job) -> str:
    return str(job.output["label"] if job.output else job.error)
