"""Uploads have a common limit, and what one of them held is free again after it."""

from contextlib import suppress

import pytest

from proxy.byte_budget import ALWAYS_TAKEN, ByteBudget
from proxy.errors import Overloaded

KB = 1024
BUDGET = 1000 * KB


def test_beyond_the_budget_an_upload_is_refused() -> None:
    budget = ByteBudget(BUDGET)
    with budget.upload() as first, budget.upload() as second:
        first.take(600 * KB)
        second.take(400 * KB)
        with pytest.raises(Overloaded, match=f"{BUDGET} bytes"):
            second.take(1)


def test_what_an_upload_took_is_free_again_after_it_however_it_ended() -> None:
    budget = ByteBudget(BUDGET)
    with suppress(ZeroDivisionError), budget.upload() as upload:
        upload.take(600 * KB)
        raise ZeroDivisionError
    with budget.upload() as next_one, budget.upload() as another:
        next_one.take(500 * KB)
        another.take(500 * KB)


def test_what_an_upload_gave_back_is_free_at_once() -> None:
    budget = ByteBudget(BUDGET)
    with budget.upload() as first, budget.upload() as second:
        first.take(900 * KB)
        first.release()
        second.take(500 * KB)
        first.take(500 * KB)


def test_an_upload_that_is_alone_is_never_refused() -> None:
    with ByteBudget(BUDGET).upload() as upload:
        upload.take(BUDGET)
        upload.take(BUDGET)


def test_a_small_upload_is_never_refused() -> None:
    budget = ByteBudget(BUDGET)
    with budget.upload() as large, budget.upload() as small:
        large.take(BUDGET)
        small.take(ALWAYS_TAKEN)
        with pytest.raises(Overloaded):
            small.take(1)
