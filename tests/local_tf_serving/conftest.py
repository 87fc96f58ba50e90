"""One server that all tests share which leave it as they found it, and what to start another one with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.local_tf_serving import saved_models
from tests.local_tf_serving.model_server import Gate, ModelServer


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 of the test model."""
    return saved_models.build(tmp_path_factory.mktemp("built"), 1)


@pytest_asyncio.fixture(scope="session")
async def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelServer]:
    """Serves version 1 and nothing else, with default flags."""
    server = ModelServer(built.parent, tmp_path_factory.mktemp("server") / "log")
    with server.running():
        await server.until(1, "AVAILABLE")
        yield server


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")
