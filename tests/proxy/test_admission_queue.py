"""So many at work, so many in line, and the next is told at once."""

import asyncio
from datetime import timedelta

import pytest

from proxy.admission import Admission
from proxy.errors import Overloaded

MINUTE = timedelta(minutes=1)


async def test_whoever_gets_no_turn_in_time_is_told_so_and_leaves_the_line() -> None:
    admission = Admission(at_once=1, waiting=1, patience=timedelta(milliseconds=20))
    async with admission:
        for _ in range(3):
            with pytest.raises(Overloaded, match="no turn came"):
                async with admission:
                    pass
    async with admission:
        pass


async def test_no_more_than_its_places_are_in_and_they_come_in_order() -> None:
    admission, inside, most = Admission(at_once=3, waiting=100, patience=MINUTE), 0, 0
    order: list[int] = []

    async def visit(number: int) -> None:
        nonlocal inside, most
        async with admission:
            inside, order[len(order) :] = inside + 1, [number]
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit(number) for number in range(20)))
    assert most == 3
    assert order == list(range(20))


async def test_whoever_finds_the_line_full_is_refused_and_a_place_is_not_lost_by_it() -> None:
    admission, release = Admission(at_once=1, waiting=1, patience=MINUTE), asyncio.Event()

    async def visit() -> bool:
        async with admission:
            return await release.wait()

    visits = [asyncio.create_task(visit()) for _ in range(3)]
    done, _ = await asyncio.wait(visits, return_when=asyncio.FIRST_COMPLETED)
    assert [type(visit.exception()) for visit in done] == [Overloaded]
    visits[1].cancel()  # the client in line leaves
    release.set()
    assert await visits[0]
    async with asyncio.timeout(1):
        assert await visit()
