import asyncio

from backend.shared_lock import SharedLock
from tests.job_store.inspection import run_event_loop


class Caller:
    """Holds the lock from `has_it` until `release` is set."""

    def __init__(self, lock: SharedLock, *, exclusive: bool = False) -> None:
        self.has_it, self.release = False, asyncio.Event()
        self._context = lock.exclusive() if exclusive else lock.shared()
        self.task = asyncio.create_task(self._hold())

    async def _hold(self) -> None:
        async with self._context:
            self.has_it = True
            await self.release.wait()
        self.has_it = False


async def holders(*callers: Caller) -> list[bool]:
    await run_event_loop(10)
    return [caller.has_it for caller in callers]


async def test_many_callers_share_the_lock() -> None:
    lock = SharedLock()
    callers = [Caller(lock) for _ in range(3)]
    assert await holders(*callers) == [True] * 3


async def test_exclusive_use_waits_for_the_holders_and_keeps_new_callers_out() -> None:
    lock = SharedLock()
    first = Caller(lock)
    await holders(first)
    alone, later = Caller(lock, exclusive=True), Caller(lock)
    assert await holders(first, alone, later) == [True, False, False]
    first.release.set()
    assert await holders(first, alone, later) == [False, True, False]
    alone.release.set()
    assert await holders(first, alone, later) == [False, False, True]


async def test_only_one_caller_at_a_time_has_exclusive_use() -> None:
    lock = SharedLock()
    callers = [Caller(lock, exclusive=True) for _ in range(3)]
    for turn in range(3):
        assert await holders(*callers) == [number == turn for number in range(3)]
        callers[turn].release.set()
    assert await holders(Caller(lock)) == [True]


async def test_a_cancelled_caller_leaves_the_lock_to_others() -> None:
    lock = SharedLock()
    first = Caller(lock)
    await holders(first)
    waiting, later = Caller(lock, exclusive=True), Caller(lock)
    assert await holders(waiting, later) == [False, False]
    waiting.task.cancel()
    assert await holders(later) == [True]
    for caller in (first, later):
        caller.task.cancel()
    assert await holders(Caller(lock, exclusive=True)) == [True]
