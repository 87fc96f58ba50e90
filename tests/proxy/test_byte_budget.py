"""Uploads have a common limit, and what one of them held is free again after it."""

from contextlib import suppress

import pytest

from proxy.byte_budget import ByteBudget
from proxy.errors import Overloaded


def test_beyond_the_budget_an_upload_is_refused() -> None:
    budget = ByteBudget(100)
    with budget.upload() as first, budget.upload() as second:
        first.take(60)
        second.take(40)
        with pytest.raises(Overloaded, match="100 bytes"):
            second.take(1)


def test_what_an_upload_took_is_free_again_after_it_however_it_ended() -> None:
    budget = ByteBudget(100)
    with suppress(ZeroDivisionError), budget.upload() as upload:
        upload.take(60)
        raise ZeroDivisionError
    with budget.upload() as next_one:
        next_one.take(100)


def test_an_upload_that_is_alone_is_never_refused() -> None:
    with ByteBudget(100).upload() as upload:
        upload.take(1000)
        upload.take(1000)
