from datetime import UTC, datetime

import pytest

from job_store import Job, JobStatus, JobStore
from tests.job_store.jobs import get_job


@pytest.mark.parametrize("status", JobStatus)
def test_a_status_is_final_unless_queued_or_processing(status: JobStatus) -> None:
    assert status.is_final is (status not in {"queued", "processing"})


def test_times_are_in_utc_with_milliseconds() -> None:
    fields = {b"status": b"processing", b"provisional": b"{}", b"created_at": b"1000000000123", b"started_at": b"1500"}
    job = Job.from_redis("id", fields, expires_at_ms=2_000_000_000_456)
    assert job.created_at == datetime(2001, 9, 9, 1, 46, 40, 123_000, tzinfo=UTC)
    assert job.started_at == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert job.completed_at is None
    assert job.expires_at == datetime(2033, 5, 18, 3, 33, 20, 456_000, tzinfo=UTC)


async def test_answers_in_any_language_are_stored_unchanged(store: JobStore) -> None:
    answer = {"label": "シャム猫 🐈", "top_k": [['quote " and \\', 1e-7]], "none": None, "nested": {"true": True}}
    job = await get_job(store, await store.submit(b"payload", answer))
    assert job.provisional == answer
