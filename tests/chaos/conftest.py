"""A running service with small models, for what is no fault."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.campaigns import all_small_pictures
from tests.chaos.service import Service, serving
from tests.chaos.small_models import exported
from tests.chaos.traffic import Pictures

JOB_TTL_S = 3
BODY_TIMEOUT_S = 2


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return all_small_pictures()


@pytest_asyncio.fixture(scope="session")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """One whose ended jobs soon expire, and that soon loses patience with slow bodies."""
    settings = {"JOB_TTL": str(JOB_TTL_S), "BODY_TIMEOUT": str(BODY_TIMEOUT_S)}
    async with serving(tmp_path_factory.mktemp("service") / "here", exported(), settings) as service:
        yield service
