"""So many at the model, so many in line, and the next is told at once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from proxy.admission import Admission
from proxy.errors import Overloaded
from tests.proxy.test_endpoints import JPEG, proxy_with
from tests.support.images import encoded
from tests.support.stack import Stack

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


async def test_a_crowd_gets_answers_and_503s_and_nothing_else(stack: Stack, tmp_path: Path) -> None:
    image = encoded(size=(256, 256))
    async with proxy_with(stack, tmp_path, FAST_MODEL_CONCURRENCY="1", MAX_WAITING="4") as (client, _):
        responses = await asyncio.gather(*(client.post("/predict", content=image, headers=JPEG) for _ in range(40)))
        refused = [response for response in responses if response.status_code != 200]
        assert 0 < len(refused) < 40
        assert {response.status_code for response in refused} == {503}
        assert {response.headers["retry-after"] for response in refused} == {"1"}
        assert {response.json()["type"] for response in refused} == {"urn:sync-async:problem:overloaded"}
        assert (await client.get("/predict/test")).status_code == 200


@pytest.mark.parametrize("crowd", [16, 64])
async def test_a_crowd_that_fits_the_line_is_answered_whole(crowd: int, stack: Stack) -> None:
    async with stack.client() as client:
        responses = await asyncio.gather(*(client.get("/predict/test") for _ in range(crowd)))
        assert {response.status_code for response in responses} == {200}
        assert len({response.json()["job_id"] for response in responses}) == crowd
    await stack.until_idle()
