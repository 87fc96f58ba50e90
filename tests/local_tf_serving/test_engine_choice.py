"""Which engine a server selects, and what it loads into memory. test_hot_swap changes the engine in a swap."""

import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import pytest_asyncio
import structlog

import service_log
from harness.process import PYTHON, ROOT
from local_tf_serving.engine import EngineOptions
from local_tf_serving.engines import ENGINES
from local_tf_serving.errors import DataLoss
from local_tf_serving.openvino_engine import IR_PATH
from tests.local_tf_serving import saved_models
from tests.local_tf_serving.loaded_model import newest_version
from tests.local_tf_serving.model_server import MODEL, ModelServer, request

IR: Final = str(IR_PATH)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # the first test may have to export the models


@pytest.fixture(scope="module")
def exported(models_dir: Path) -> Path:
    """The directory of a version with an IR."""
    return newest_version(models_dir, "mobilenet_v2")


@pytest_asyncio.fixture(scope="module")
async def openvino(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelServer]:
    """Serves a version with an IR in float32."""
    base_path = saved_models.copy(exported, tmp_path_factory.mktemp("models"), 1).parent
    server = ModelServer(base_path, tmp_path_factory.mktemp("openvino") / "log")
    with server.process(inference_precision="float32"):
        await server.wait_for(1, "AVAILABLE")
        yield server


def has_mapped_tensorflow(server: ModelServer) -> bool:
    return "libtensorflow" in Path(f"/proc/{server.pid}/maps").read_text()


def scores(server: ModelServer, image: bytes) -> list[float]:
    return list(server.predict(request(image_bytes=[image])).outputs["scores"].float_val)


def test_an_ir_is_served_without_tensorflow_in_memory(openvino: ModelServer, cat: bytes) -> None:
    assert len(scores(openvino, cat)) == 1001
    assert not has_mapped_tensorflow(openvino)
    (line,) = openvino.log_lines('event="engine selected"')
    assert "engine=openvino" in line
    assert "precision=float32" in line
    assert IR in line
    assert openvino.log_lines("version warmed up", "records=2")


def test_rest_and_grpc_give_the_same_scores_and_codes(openvino: ModelServer, cat: bytes) -> None:
    encoded = {"b64": base64.b64encode(cat).decode()}
    response = openvino.predict_json({"instances": [{"image_bytes": encoded}]})
    np.testing.assert_allclose(response.json()["predictions"][0], scores(openvino, cat), atol=1e-6)
    invalid = openvino.predict_json({"instances": [{"image_bytes": {"b64": "bm8="}}]})
    assert invalid.status_code == 400
    metadata = openvino.http.get(f"/v1/models/{MODEL}/metadata").json()
    assert set(metadata["metadata"]["signature_def"]["signature_def"]) == {"serving_default"}


def test_a_flag_selects_tensorflow(limited: ModelServer, cat: bytes) -> None:
    """The flag of this server is --engine=tensorflow, and its version has an IR."""
    assert (limited.base_path / "1" / IR).exists()
    assert len(scores(limited, cat)) == 3
    assert has_mapped_tensorflow(limited)
    assert not limited.log_lines("engine=openvino")


@pytest.mark.parametrize("engine", ["auto", "openvino"])
@pytest.mark.parametrize("damaged", ["model.xml", "model.bin", "signatures.pb"])
def test_a_damaged_ir_does_not_load(exported: Path, tmp_path: Path, engine: str, damaged: str) -> None:
    version = saved_models.copy(exported, tmp_path, 1)
    (version / IR).with_name(damaged).write_bytes(b"no IR")
    with pytest.raises(DataLoss, match="cannot load"):
        ENGINES[engine](EngineOptions()).load(version)


def test_without_openvino_the_engine_is_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")  # otherwise the engine would set it for later tests
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "local_tf_serving.openvino_engine", raising=False)
    service_log.get_logger.cache_clear()
    with structlog.testing.capture_logs() as lines:
        engine = ENGINES["auto"](EngineOptions())
    assert type(engine).__name__ == "TensorFlowEngine"
    assert [line["reason"].startswith("OpenVINO is unavailable here") for line in lines] == [True]


def test_openvino_sends_no_telemetry() -> None:
    """By default it sends an event to Google Analytics at each import."""
    script = """
import sys, json
from local_tf_serving.engine import EngineOptions
from local_tf_serving.engines import ENGINES
ENGINES["openvino"](EngineOptions())
print(json.dumps([name for name, module in sys.modules.items() if module and "telemetry" in name]))
"""
    output = subprocess.run([PYTHON, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(output.splitlines()[-1]) == []
