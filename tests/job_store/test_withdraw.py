"""After a submit without a reply, a client can find out whether Redis has the job."""

import asyncio
import signal
from contextlib import suppress

from harness.redis import RedisServer
from job_store import JobStore, new_job_id
from tests.job_store.jobs import PERSIAN


async def test_an_accepted_job_stays(store: JobStore) -> None:
    job_id = await store.submit(b"payload", PERSIAN)
    assert await store.withdraw(job_id)
    assert [claim.job_id for claim in (await store.claim(1)).claims] == [job_id]


async def test_a_submit_that_arrives_after_its_withdrawal_is_not_accepted_under_its_id(store: JobStore) -> None:
    job_id = new_job_id()
    assert not await store.withdraw(job_id)
    assert await store.find(job_id) is None
    assert await store.submit(b"payload", PERSIAN, job_id) != job_id


async def test_the_answer_about_a_submit_that_was_given_up_is_final(own_redis_server: RedisServer) -> None:
    await own_redis_server.start()
    async with own_redis_server.client() as redis:
        store = JobStore(redis)
        accepted = []
        for _ in range(20):
            job_id = new_job_id()
            own_redis_server.send(signal.SIGSTOP)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await store.submit(b"payload", PERSIAN, job_id)
            own_redis_server.send(signal.SIGCONT)
            if await store.withdraw(job_id):
                accepted.append(job_id)
            assert await store.backlog_length() == len(accepted)
        assert [claim.job_id for claim in (await store.claim(100)).claims] == accepted
