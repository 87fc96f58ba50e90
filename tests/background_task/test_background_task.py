"""A background task runs for as long as its context."""

import asyncio

import pytest

from background_task import background_task


async def test_the_task_is_cancelled_when_the_context_ends() -> None:
    async with background_task(asyncio.sleep(3600)) as task:
        assert not task.done()
    assert task.cancelled()


async def test_an_exception_of_the_task_is_raised_when_the_context_ends() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        async with background_task(fail()) as task:
            await asyncio.wait([task])
