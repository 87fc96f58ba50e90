"""Which engine a server takes, what that costs, and that a swap may change it."""

import base64
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.process import PYTHON, ROOT
from tests.local_tf_serving import saved_models
from tests.local_tf_serving.exported import newest
from tests.local_tf_serving.model_server import MODEL, ModelServer, request

IR = "assets.extra/openvino/model.xml"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # the first test to ask for a model may have to export it


@pytest.fixture(scope="module")
def exported(models_dir: Path) -> Path:
    return newest(models_dir, "mobilenet_v2")


@pytest.fixture
def server(tmp_path: Path, exported: Path) -> ModelServer:
    """Of version 1, which has an IR. Not started."""
    (tmp_path / "models").mkdir()
    saved_models.copy(exported, tmp_path / "models", 1)
    return ModelServer(tmp_path / "models", tmp_path / "log")


def maps_tensorflow(process: "subprocess.Popen[bytes]") -> bool:
    return "libtensorflow" in Path(f"/proc/{process.pid}/maps").read_text()


def scores(server: ModelServer, image: bytes) -> list[float]:
    return list(server.predict(request(image_bytes=[image])).outputs["scores"].float_val)


async def test_an_ir_is_served_without_tensorflow_in_memory(server: ModelServer, cat: bytes) -> None:
    with server.running() as process:
        await server.until(1, "AVAILABLE")
        over_grpc = scores(server, cat)
        assert not maps_tensorflow(process)
        (line,) = server.lines("event=engine")
    assert "engine=openvino" in line
    assert IR in line
    assert len(over_grpc) == 1001
    assert server.lines("warmed up", "records=2")


async def test_rest_and_grpc_give_the_same_scores_and_codes(server: ModelServer, cat: bytes) -> None:
    with server.running(engine="openvino"):
        await server.until(1, "AVAILABLE")
        encoded = {"b64": base64.b64encode(cat).decode()}
        answer = server.predict_json({"instances": [{"image_bytes": encoded}]})
        np.testing.assert_allclose(answer.json()["predictions"][0], scores(server, cat), atol=1e-6)
        bad = server.predict_json({"instances": [{"image_bytes": {"b64": "bm8="}}]})
        assert bad.status_code == 400
        metadata = server.http.get(f"/v1/models/{MODEL}/metadata").json()
        assert set(metadata["metadata"]["signature_def"]["signature_def"]) == {"serving_default"}


async def test_tensorflow_can_be_asked_for(server: ModelServer, cat: bytes) -> None:
    with server.running(engine="tensorflow") as process:
        await server.until(1, "AVAILABLE")
        assert len(scores(server, cat)) == 1001
        assert maps_tensorflow(process)
    assert not server.lines("engine=openvino")


async def test_a_saved_model_without_an_ir_is_tensorflows_and_a_swap_may_change_engines(
    server: ModelServer, exported: Path, cat: bytes
) -> None:
    with server.running():
        await server.until(1, "AVAILABLE")
        by_openvino = scores(server, cat)
        saved_models.build(server.base_path, 2)
        await server.until(2, "AVAILABLE")
        await server.until(1, "END")
        assert len(scores(server, cat)) == 3
        assert server.lines("engine=tensorflow", f"there is no {IR}")
        saved_models.copy(exported, server.base_path, 3)
        await server.until(3, "AVAILABLE")
        assert scores(server, cat) == by_openvino


async def test_openvino_alone_does_not_load_a_saved_model_without_an_ir(tmp_path: Path, built: Path) -> None:
    server = ModelServer(built.parent, tmp_path / "log")
    with server.running(engine="openvino", max_num_load_retries=0) as process:
        assert process.wait(60) == 255
    assert server.lines("can't start", "Could not find an IR", "--engine=tensorflow")


@pytest.mark.parametrize("damaged", ["model.xml", "model.bin", "signatures.pb"])
async def test_a_damaged_ir_is_not_served(server: ModelServer, damaged: str) -> None:
    (server.base_path / "1" / "assets.extra" / "openvino" / damaged).write_bytes(b"no IR")
    with server.running(max_num_load_retries=0) as process:
        assert process.wait(60) == 255
    assert server.lines("can't start", "can't be loaded")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
async def test_the_precision_is_what_the_flag_says(server: ModelServer, precision: str) -> None:
    with server.running(inference_precision=precision):
        await server.until(1, "AVAILABLE")
    assert server.lines("engine=openvino", f"precision={precision}")


def test_without_openvino_the_engine_is_tensorflow() -> None:
    script = """
import sys
sys.modules["openvino"] = None
from local_tf_serving.engine import ENGINES, Options
print(type(ENGINES["auto"](Options())).__name__)
"""
    said = subprocess.run([PYTHON, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "TensorFlowEngine"
    assert "OpenVINO can't be used here" in said


def test_openvino_reports_to_nobody() -> None:
    """Left to itself, it sends an event to Google Analytics whenever it is imported."""
    script = """
import sys, json
from local_tf_serving.engine import ENGINES, Options
ENGINES["openvino"](Options())
print(json.dumps([name for name, module in sys.modules.items() if module and "telemetry" in name]))
"""
    said = subprocess.run([PYTHON, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(said.splitlines()[-1]) == []
