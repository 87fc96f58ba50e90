"""Injects each fault once, except the slow ones: the short form of `make chaos`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import pytest
import pytest_asyncio

from tests.chaos.campaign import CampaignResult
from tests.chaos.campaigns import run_all
from tests.chaos.faults import all_faults
from tests.chaos.small_models import export_once
from tests.chaos.traffic import Load, small_samples

OUTAGE: Final = timedelta(seconds=3)  # longer than the proxy's timeout for Redis
FAULTS: Final = [fault for fault in all_faults(OUTAGE) if not fault.is_slow]
SETTINGS: Final = {"LEASE": "1", "PREDICT_DEADLINE": "3"}
"""Short, but the deadline is longer than a worker is stopped past its lease."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, CampaignResult]:
    results = await run_all(
        FAULTS,
        models=export_once(),
        load=Load(small_samples()),
        times=1,
        concurrency=3,
        directory=tmp_path_factory.mktemp("chaos"),
        settings=SETTINGS,
        report=lambda _: None,
    )
    return {result.fault: result for result in results}


@pytest.mark.parametrize("fault", [fault.name for fault in FAULTS])
async def test_accepted_jobs_end_exactly_once_after(fault: str, results: Mapping[str, CampaignResult]) -> None:
    result = results[fault]
    assert result.violations == []
    assert result.injected == 1
    assert result.accepted == result.audit.succeeded + result.audit.failed
    assert result.audit.succeeded >= 5
