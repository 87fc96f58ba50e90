"""Servers that tests share if they do not change them, and the model version that they serve."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from local_tf_serving.openvino_engine import IR_PATH
from tests.local_tf_serving import saved_models
from tests.local_tf_serving.model_server import BlockedRequest, ModelServer

REST_TIMEOUT_MS: Final = 400


@pytest.fixture(scope="package")
def version_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of version 1 of the test model, alone in its base path."""
    return saved_models.build(tmp_path_factory.mktemp("models"), 1)


@pytest_asyncio.fixture(scope="package")
async def server(version_1: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelServer]:
    """Serves only version 1, with default flags."""
    server = ModelServer(version_1.parent, tmp_path_factory.mktemp("server") / "log")
    with server.process():
        await server.wait_for(1, "AVAILABLE")
        yield server


@pytest_asyncio.fixture(scope="package")
async def limited(slow: None, version_1: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelServer]:
    """Serves version 1 with TensorFlow, although there is an IR, with one thread per API and a short REST timeout."""
    version = saved_models.copy(version_1, tmp_path_factory.mktemp("models"), 1)
    ir = version / IR_PATH
    ir.parent.mkdir(parents=True)
    ir.write_bytes(b"not read by TensorFlow")
    server = ModelServer(version.parent, tmp_path_factory.mktemp("limited") / "log")
    with server.process(
        engine="tensorflow",
        grpc_max_threads=1,
        rest_api_num_threads=1,
        rest_api_timeout_in_ms=REST_TIMEOUT_MS,
        log_level="debug",
    ):
        await server.wait_for(1, "AVAILABLE")
        yield server


@pytest.fixture
def blocked_request(tmp_path: Path) -> BlockedRequest:
    return BlockedRequest(tmp_path / "fifo")
