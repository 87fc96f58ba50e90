from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.chaos_stack import BODY_TIMEOUT_S, JOB_TTL_S, ChaosStack, chaos_stack
from tests.chaos.small_models import export_once
from tests.chaos.traffic import Samples, small_samples


@pytest.fixture(scope="session")
def samples() -> Samples:
    return small_samples()


@pytest_asyncio.fixture(scope="session")
async def stack(slow: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChaosStack]:
    """Shared by the tests that leave its processes running and restore its links."""
    settings = {"JOB_TTL": str(JOB_TTL_S), "BODY_TIMEOUT": str(BODY_TIMEOUT_S)}
    async with chaos_stack(tmp_path_factory.mktemp("stack") / "stack", export_once(), settings) as stack:
        yield stack
