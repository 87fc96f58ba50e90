"""Trying again, until it works or the worker is to stop."""

import asyncio

from backend.retrier import Patience, pause_s
from job_store import StoreUnavailable


class Shop:
    """Closed the first few times that somebody comes."""

    def __init__(self, closed: int) -> None:
        self.closed = closed
        self.calls = 0

    async def buy(self, what: str) -> str:
        self.calls += 1
        if self.calls <= self.closed:
            raise StoreUnavailable("closed")
        return what


async def test_what_is_in_hand_is_stored_even_when_the_worker_is_to_stop() -> None:
    stopping, shop = asyncio.Event(), Shop(closed=4)
    stopping.set()
    assert await Patience(stopping).until_stored(shop.buy, "bread") == "bread"
    assert shop.calls == 5


async def test_what_is_not_in_hand_is_left_when_the_worker_is_to_stop() -> None:
    stopping, shop = asyncio.Event(), Shop(closed=1_000_000)
    asyncio.get_running_loop().call_later(0.1, stopping.set)
    assert await Patience(stopping).while_running(shop.buy, "bread") is None
    assert shop.calls < 100


async def test_pauses_grow_and_have_an_end() -> None:
    """A shop that is closed for ever is asked less and less often, and never more than two seconds later."""
    longest = [max(pause_s(attempt) for _ in range(200)) for attempt in (1, 2, 3, 6, 10_000)]
    assert 0.05 < longest[0] <= 0.1 < longest[1] <= 0.2 < longest[2] <= 0.4 < longest[3] <= 2.0
    assert 1.0 < longest[4] <= 2.0
