"""The common limit of all concurrent uploads."""

from contextlib import suppress
from typing import Final

import pytest

from proxy.byte_budget import MAX_EXEMPT_BYTES, ByteBudget
from proxy.errors import Overloaded

KB: Final = 1024
BUDGET: Final = 1000 * KB


def test_an_upload_beyond_the_budget_is_refused() -> None:
    budget = ByteBudget(BUDGET)
    with budget.upload() as first, budget.upload() as second:
        first.reserve(600 * KB)
        second.reserve(400 * KB)
        with pytest.raises(Overloaded, match=f"{BUDGET} bytes"):
            second.reserve(1)


def test_an_upload_releases_its_bytes_when_it_ends_with_or_without_an_error() -> None:
    budget = ByteBudget(BUDGET)
    with suppress(ZeroDivisionError), budget.upload() as upload:
        upload.reserve(600 * KB)
        raise ZeroDivisionError
    with budget.upload() as first, budget.upload() as second:
        first.reserve(500 * KB)
        second.reserve(500 * KB)


def test_released_bytes_are_available_immediately() -> None:
    budget = ByteBudget(BUDGET)
    with budget.upload() as first, budget.upload() as second:
        first.reserve(900 * KB)
        first.release()
        second.reserve(500 * KB)
        first.reserve(500 * KB)


def test_the_only_upload_is_never_refused() -> None:
    with ByteBudget(BUDGET).upload() as upload:
        upload.reserve(BUDGET)
        upload.reserve(BUDGET)


def test_a_small_upload_is_never_refused() -> None:
    budget = ByteBudget(BUDGET)
    with budget.upload() as large, budget.upload() as small:
        large.reserve(BUDGET)
        small.reserve(MAX_EXEMPT_BYTES)
        with pytest.raises(Overloaded):
            small.reserve(1)
