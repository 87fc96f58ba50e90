"""A task that lives as long as the context around it."""

import asyncio

import pytest

from background_task import background_task


async def test_the_task_is_cancelled_when_the_context_ends() -> None:
    async with background_task(asyncio.sleep(3600)) as task:
        assert not task.done()
    assert task.cancelled()


async def test_an_exception_of_the_task_is_raised_at_the_end_of_the_context() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        async with background_task(fail()) as task:
            await asyncio.wait([task])
