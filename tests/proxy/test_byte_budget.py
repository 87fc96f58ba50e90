"""The common limit of all concurrent uploads."""

import pytest

from proxy.byte_budget import MAX_SMALL_BYTES, ByteBudget, Upload

BUDGET = 16 * MAX_SMALL_BYTES
FOR_LARGE = 12 * MAX_SMALL_BYTES
"""The part of the budget that large uploads may use."""
LARGE = MAX_SMALL_BYTES + 1


@pytest.fixture
def budget() -> ByteBudget:
    return ByteBudget(BUDGET)


def test_a_large_upload_is_refused_when_three_quarters_of_the_budget_are_used(budget: ByteBudget) -> None:
    assert Upload(budget).reserve(FOR_LARGE - LARGE)
    assert Upload(budget).reserve(LARGE)
    assert not Upload(budget).reserve(LARGE)


def test_a_small_upload_is_refused_when_the_whole_budget_is_used(budget: ByteBudget) -> None:
    assert Upload(budget).reserve(FOR_LARGE)
    for _ in range(4):
        assert Upload(budget).reserve(MAX_SMALL_BYTES)
    assert not Upload(budget).reserve(1)
    assert budget.used == BUDGET


def test_an_upload_that_is_declared_as_large_is_large_from_its_first_byte(budget: ByteBudget) -> None:
    assert Upload(budget).reserve(FOR_LARGE)
    assert Upload(budget).reserve(1)
    assert not Upload(budget, declared_bytes=LARGE).reserve(1)


def test_an_upload_of_unknown_length_becomes_large_as_its_bytes_arrive(budget: ByteBudget) -> None:
    assert Upload(budget).reserve(FOR_LARGE)
    upload = Upload(budget)
    assert upload.reserve(MAX_SMALL_BYTES)
    assert not upload.reserve(1)


def test_only_bytes_that_have_arrived_count(budget: ByteBudget) -> None:
    stalled = [Upload(budget, declared_bytes=BUDGET) for _ in range(11)]
    assert all(upload.reserve(1) for upload in stalled)
    assert Upload(budget).reserve(LARGE)


def test_released_bytes_are_available_at_once(budget: ByteBudget) -> None:
    first, second = Upload(budget), Upload(budget)
    assert first.reserve(FOR_LARGE)
    first.release()
    assert second.reserve(FOR_LARGE)


def test_a_refused_upload_stays_refused(budget: ByteBudget) -> None:
    first, second = Upload(budget), Upload(budget)
    assert first.reserve(FOR_LARGE)
    assert not second.reserve(LARGE)
    first.release()
    assert second.is_refused
    assert not second.reserve(1)


def test_a_closed_upload_holds_nothing(budget: ByteBudget) -> None:
    upload = Upload(budget)
    assert upload.reserve(1)
    upload.close()
    assert not upload.reserve(1)
    assert budget.used == 0


def test_the_only_upload_is_never_refused(budget: ByteBudget) -> None:
    upload = Upload(budget)
    assert upload.reserve(BUDGET)
    assert upload.reserve(BUDGET)
