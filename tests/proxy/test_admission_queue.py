"""Limits on concurrency, on the length of the queue, and on the wait in it."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from proxy.admission_queue import ConcurrencyLimit
from proxy.errors import Overloaded

MINUTE: Final = timedelta(minutes=1)


def limit_of(concurrency: int, max_queued: int, timeout: timedelta = MINUTE) -> ConcurrencyLimit:
    return ConcurrencyLimit("the image decoder", concurrency=concurrency, max_queued=max_queued, timeout=timeout)


async def test_a_request_that_times_out_is_refused_and_leaves_the_queue() -> None:
    limit = limit_of(concurrency=1, max_queued=1, timeout=timedelta(milliseconds=20))
    async with limit:
        for _ in range(3):
            with pytest.raises(Overloaded, match=r"timed out after 0\.02 s waiting for the image decoder: try again"):
                async with limit:
                    pass
    async with limit:
        pass


async def test_requests_are_admitted_in_order_and_only_up_to_the_concurrency() -> None:
    limit, active, max_active = limit_of(concurrency=3, max_queued=100), 0, 0
    order: list[int] = []

    async def request(number: int) -> None:
        nonlocal active, max_active
        async with limit:
            active += 1
            order.append(number)
            max_active = max(max_active, active)
            await asyncio.sleep(0)
            active -= 1

    await asyncio.gather(*(request(number) for number in range(20)))
    assert max_active == 3
    assert order == list(range(20))


async def test_a_request_to_a_full_queue_is_refused_and_no_permit_is_lost() -> None:
    limit, finish = limit_of(concurrency=1, max_queued=1), asyncio.Event()

    async def request() -> bool:
        async with limit:
            return await finish.wait()

    requests = [asyncio.create_task(request()) for _ in range(3)]
    done, _ = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
    [error] = [request.exception() for request in done]
    assert isinstance(error, Overloaded)
    assert str(error) == "the image decoder's queue is full (limit: 1): try again in a moment"
    requests[1].cancel()  # the queued client disconnects
    finish.set()
    assert await requests[0]
    async with asyncio.timeout(1):
        assert await request()


async def test_a_request_cancelled_just_after_its_admission_returns_the_permit() -> None:
    limit = limit_of(concurrency=1, max_queued=2)

    async def request() -> None:
        async with limit:
            pass

    async with limit:
        cancelled, next_one = (asyncio.create_task(request()) for _ in range(2))
        await asyncio.sleep(0)
    cancelled.cancel()  # the permit is granted, but the task has not run since
    async with asyncio.timeout(1):
        await next_one
    assert cancelled.cancelled()
