import asyncio
import itertools
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from harness.process import PYTHON, Process
from harness.redis import RedisServer
from harness.waiting import wait_until
from job_store import Job, JobStatus, JobStore
from tests.job_store.inspection import backlog, notifications, pending
from tests.job_store.jobs import claim_one, get_job, submit
from tests.job_store.racer import CLIENTS

pytestmark = pytest.mark.slow


@asynccontextmanager
async def many_stores(server: RedisServer, number: int = 10) -> AsyncIterator[list[JobStore]]:
    async with AsyncExitStack() as stack:
        yield [JobStore(await stack.enter_async_context(server.client())) for _ in range(number)]


async def test_concurrent_claims_return_each_job_once(store: JobStore, redis_server: RedisServer) -> None:
    ids = await submit(store, *[b"payload"] * 200)
    async with many_stores(redis_server) as stores:
        results = await asyncio.gather(*(each.claim(3) for each in stores * 10))
    claimed = [claim.job_id for result in results for claim in result.claims]
    assert sorted(claimed) == sorted(ids)


async def test_of_concurrent_results_for_one_claim_the_first_is_recorded(
    store: JobStore, redis_server: RedisServer
) -> None:
    async with many_stores(redis_server) as stores, notifications(store) as ended:
        for _ in range(20):
            (job_id,) = await submit(store, b"payload")
            claim = await claim_one(store)
            finishes = [each.finish(claim, {"label": str(number)}) for number, each in enumerate(stores)]
            failures = [each.fail(claim, str(number)) for number, each in enumerate(stores)]
            results = await asyncio.gather(*itertools.chain(*zip(finishes, failures, strict=True)))
            finished, failed = set(results[::2]), set(results[1::2])
            job = await get_job(store, job_id)
            assert (finished, failed) == (({True}, {False}) if job.status is JobStatus.SUCCEEDED else ({False}, {True}))
    assert len(ended) == len({job.id for job in ended}) == 20


async def test_concurrent_submits_that_draw_the_same_id_get_different_ids(
    redis_server: RedisServer, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = itertools.chain.from_iterable([f"id {number}"] * 10 for number in itertools.count())
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(draws))
    async with many_stores(redis_server) as stores:
        ids = await asyncio.gather(*(each.submit(b"payload", {}) for each in stores))
    assert len(set(ids)) == len(stores)
    assert sorted(await backlog(store)) == sorted(ids)


JOBS: Final = 2_040
RACERS: Final = 3
KILLED_RACERS: Final = 2


@pytest.mark.timeout(240)
async def test_racing_processes_that_lose_leases_and_are_killed_end_every_job_once(
    store: JobStore, redis_server: RedisServer, tmp_path: Path
) -> None:
    logs = [tmp_path / f"{number}.log" for number in range(RACERS + KILLED_RACERS)]
    shares = [JOBS // RACERS] * RACERS + [0] * KILLED_RACERS
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
    reports = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    assert Counter(job.id for job in ended) == Counter(
        report["submitted"] for report in reports if "submitted" in report
    )
    assert await backlog(store) == await pending(store) == []
    assert sum("refused" in report for report in reports) > JOBS / 20, "there were races"

    recorded = {report["ended"]: report["result"] for report in reports if "ended" in report}
    assert len(recorded) == sum("ended" in report for report in reports), "no job ended twice"
    for job in ended:
        current = await get_job(store, job.id)
        assert (current.status, current.output, current.error) == (job.status, job.output, job.error)
        if job.id in recorded:
            assert result_of(job) == recorded[job.id]
    given_up = {job.id for job in ended if result_of(job).startswith("gave up after 3 attempts")}
    unreported = {job.id for job in ended} - set(recorded) - given_up
    assert given_up
    assert len(unreported) <= KILLED_RACERS * CLIENTS, "a killed client cannot report its last result"


def result_of(job: Job) -> str:
    return str(job.output["label"] if job.output else job.error)
