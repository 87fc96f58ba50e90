"""A running service with small models, for what is no fault."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from service_settings import ROOT
from tests.chaos.service import Service, serving
from tests.chaos.small_models import exported
from tests.chaos.traffic import Pictures, small_pictures
from tf_serving_client import read_labels

JOB_TTL_S = 3
BODY_TIMEOUT_S = 2


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return small_pictures(read_labels(ROOT / "data" / "imagenet_labels.json"))


@pytest_asyncio.fixture(scope="session")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """One whose ended jobs soon expire, and that soon loses patience with slow bodies."""
    settings = {"JOB_TTL": str(JOB_TTL_S), "BODY_TIMEOUT": str(BODY_TIMEOUT_S)}
    async with serving(tmp_path_factory.mktemp("service") / "here", exported(), settings) as service:
        yield service
