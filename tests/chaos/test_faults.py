"""Each fault once, under load: the short form of `make chaos`."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
import pytest_asyncio

from tests.chaos.campaign import Outcome
from tests.chaos.campaigns import all_small_pictures, wage_all
from tests.chaos.faults import all_faults
from tests.chaos.small_models import exported
from tests.chaos.traffic import Load

FAULTS = [fault for fault in all_faults(outage=timedelta(seconds=3)) if not fault.takes_long]
pytestmark = pytest.mark.timeout(300)


@pytest_asyncio.fixture(scope="module")
async def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    seen: list[Outcome] = []
    directory, load = tmp_path_factory.mktemp("chaos"), Load(all_small_pictures())
    await wage_all(FAULTS, models=exported(), load=load, times=1, lanes=3, directory=directory, report=seen.append)
    return {outcome.fault: outcome for outcome in seen}


@pytest.mark.parametrize("fault", [fault.name for fault in FAULTS])
async def test_what_was_accepted_ends_exactly_once_after(fault: str, outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[fault]
    assert outcome.all_complaints == []
    assert outcome.injected == 1
    assert outcome.accepted == outcome.verdict.succeeded + outcome.verdict.failed
    assert outcome.verdict.succeeded >= 5
