"""Versions are published and removed while one server runs, and no request of its clients fails."""

import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import tensorflow as tf
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

from harness.waiting import wait_until
from local_tf_serving.openvino_engine import IR_PATH
from tests.local_tf_serving import saved_models
from tests.local_tf_serving.loaded_model import newest_version
from tests.local_tf_serving.model_server import MODEL, BlockedRequest, ModelServer, request

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(scope="module")
async def swapped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelServer]:
    base_path = tmp_path_factory.mktemp("swapped")
    saved_models.build(base_path, 1)
    server = ModelServer(base_path, tmp_path_factory.mktemp("swapped-log") / "log")
    with server.process(
        frequent_polls=True, inference_precision="bfloat16", max_num_load_retries=1, load_retry_interval_micros=50_000
    ):
        await server.wait_for(1, "AVAILABLE")
        yield server


@pytest_asyncio.fixture
async def newest(swapped: ModelServer) -> int:
    """Publish a new version for this test and remove all others; return its number when it is available."""
    number = max(swapped.states()) + 1
    old = [child for child in swapped.base_path.iterdir() if child.name.isdecimal()]
    saved_models.build(swapped.base_path, number)
    await swapped.wait_for(number, "AVAILABLE")
    for child in old:
        shutil.rmtree(child)
    await wait_until(lambda: set(swapped.states().values()) == {"AVAILABLE", "END"})
    return number


def version(server: ModelServer) -> int:
    """The version that serves a request, as computed by the model and as named in the response."""
    response = server.predict(request("version", x=[0.0]))
    computed = int(tf.make_ndarray(response.outputs["version"])[0])
    assert response.model_spec.version.value == computed
    return computed


@dataclass(slots=True)
class Load:
    versions: list[int] = field(default_factory=list)
    """The version that served each successful request."""
    errors: list[grpc.RpcError] = field(default_factory=list)

    async def wait_for(self, version: int) -> None:
        await wait_until(lambda: version in self.versions)


@contextmanager
def load(server: ModelServer, clients: int = 4) -> Iterator[Load]:
    """Clients that send one request after another during the block."""
    sent = Load()
    ended = threading.Event()

    def send_requests() -> None:
        while not ended.is_set():
            try:
                sent.versions.append(version(server))
            except grpc.RpcError as error:
                sent.errors.append(error)

    threads = [threading.Thread(target=send_requests) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def error_of(server: ModelServer, number: int) -> tuple[int, str]:
    message = GetModelStatusRequest()
    message.model_spec.name = MODEL
    message.model_spec.version.value = number
    (status,) = server.model.GetModelStatus(message, timeout=10).model_version_status
    return status.status.error_code, status.status.error_message


async def test_no_request_fails_during_swaps_under_load(swapped: ModelServer, newest: int) -> None:
    with load(swapped) as sent:
        await sent.wait_for(newest)
        for number in (newest + 1, newest + 2):
            saved_models.build(swapped.base_path, number)
            await sent.wait_for(number)
            await swapped.wait_for(number - 1, "END")
    assert sent.errors == []
    assert sent.versions[-1] == newest + 2
    assert error_of(swapped, newest) == (0, "")


async def test_a_running_request_finishes_on_its_version(
    swapped: ModelServer, newest: int, blocked_request: BlockedRequest
) -> None:
    running = swapped.prediction.Predict.future(blocked_request.message)
    await blocked_request.wait_until_running()
    saved_models.build(swapped.base_path, newest + 1)
    await swapped.wait_for(newest, "UNLOADING")
    assert version(swapped) == newest + 1
    assert swapped.predict_error(request("version", version=newest, x=[0.0]))[0] is grpc.StatusCode.NOT_FOUND
    await blocked_request.unblock()
    assert running.result(10).model_spec.version.value == newest
    await swapped.wait_for(newest, "END")


async def test_no_request_fails_during_a_rollback_under_load(swapped: ModelServer, newest: int) -> None:
    saved_models.build(swapped.base_path, newest + 1)
    await swapped.wait_for(newest, "END")
    with load(swapped) as sent:
        shutil.rmtree(swapped.base_path / str(newest + 1))
        await sent.wait_for(newest)
        await swapped.wait_for(newest + 1, "END")
    assert sent.errors == []
    assert version(swapped) == newest


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [(None, grpc.StatusCode.NOT_FOUND, "Could not find SavedModel"), (b"\xff", grpc.StatusCode.DATA_LOSS, "")],
)
async def test_the_old_version_keeps_serving_when_a_new_one_fails_to_load(
    swapped: ModelServer, newest: int, content: bytes | None, code: grpc.StatusCode, text: str
) -> None:
    broken = swapped.base_path / str(newest + 1)
    broken.mkdir()
    if content is not None:
        (broken / "saved_model.pb").write_bytes(content)
    await swapped.wait_for(newest + 1, "END")
    actual_code, message = error_of(swapped, newest + 1)
    assert actual_code == code.value[0]
    assert text in message
    assert version(swapped) == newest
    assert len(swapped.log_lines("version load failed", f"version={newest + 1} ")) == 2, "the load was retried"
    shutil.rmtree(broken)


async def test_a_saved_model_without_the_tag_serve_does_not_load(
    swapped: ModelServer, newest: int, tmp_path: Path
) -> None:
    path = saved_models.build(tmp_path, newest + 1)
    model = (path / "saved_model.pb").read_bytes()
    assert model.count(b"\x05serve") == 1
    (path / "saved_model.pb").write_bytes(model.replace(b"\x05serve", b"\x05train"))
    saved_models.copy(path, swapped.base_path, newest + 1)
    await swapped.wait_for(newest + 1, "END")
    assert error_of(swapped, newest + 1)[0] == grpc.StatusCode.NOT_FOUND.value[0]
    assert version(swapped) == newest


async def test_a_version_is_warmed_up_before_it_is_available(swapped: ModelServer, newest: int, tmp_path: Path) -> None:
    path = saved_models.build(tmp_path, newest + 1)
    saved_models.add_warmup(path, request("version", x=[0.0]), request("total", x=[[1.0, 2.0]]))
    saved_models.copy(path, swapped.base_path, newest + 1)
    await swapped.wait_for(newest + 1, "AVAILABLE")
    assert swapped.log_lines("version warmed up", "records=2", f"/{newest + 1}")


async def test_a_version_whose_warm_up_fails_does_not_become_available(
    swapped: ModelServer, newest: int, tmp_path: Path
) -> None:
    path = saved_models.build(tmp_path, newest + 1)
    saved_models.add_warmup(path, request(image_bytes=[b"no image"]))
    saved_models.copy(path, swapped.base_path, newest + 1)
    await swapped.wait_for(newest + 1, "END")
    code, message = error_of(swapped, newest + 1)
    assert code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "Unknown image file format" in message
    assert version(swapped) == newest


async def test_a_missing_base_path_unloads_no_version_and_an_empty_one_unloads_all(
    swapped: ModelServer, newest: int
) -> None:
    renamed = swapped.base_path.with_name("renamed")
    swapped.base_path.rename(renamed)
    await wait_until(lambda: swapped.log_lines("base path unreadable"))
    assert version(swapped) == newest
    renamed.rename(swapped.base_path)
    shutil.rmtree(swapped.base_path / str(newest))
    await swapped.wait_for(newest, "END")
    not_found = (grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({MODEL})")
    assert swapped.predict_error(request("version", x=[0.0])) == not_found
    assert swapped.http.get(f"/v1/models/{MODEL}").json()["model_version_status"][0]["state"] == "END"


@pytest.mark.timeout(300)  # it may have to export the models
async def test_a_swap_can_change_the_engine(swapped: ModelServer, newest: int, models_dir: Path, cat: bytes) -> None:
    def scores() -> list[float]:
        return list(swapped.predict(request(image_bytes=[cat])).outputs["scores"].float_val)

    with_ir = newest_version(models_dir, "mobilenet_v2")
    saved_models.copy(with_ir, swapped.base_path, newest + 1)
    await swapped.wait_for(newest + 1, "AVAILABLE")
    assert swapped.log_lines("engine=openvino", "precision=bfloat16", f"/{newest + 1}/{IR_PATH}")
    openvino_scores = scores()
    assert len(openvino_scores) == 1001
    saved_models.build(swapped.base_path, newest + 2)
    await swapped.wait_for(newest + 2, "AVAILABLE")
    await swapped.wait_for(newest + 1, "END")
    assert swapped.log_lines("engine=tensorflow", f"there is no {IR_PATH}", f"/{newest + 2}")
    assert len(scores()) == 3
    saved_models.copy(with_ir, swapped.base_path, newest + 3)
    await swapped.wait_for(newest + 3, "AVAILABLE")
    assert scores() == openvino_scores


async def test_a_model_saved_with_tensorflow_2_is_served_with_its_variables(swapped: ModelServer, newest: int) -> None:
    saved_models.build_with_function(swapped.base_path, newest + 1)
    await swapped.wait_for(newest + 1, "AVAILABLE")
    outputs = swapped.predict(request(x=[1.0, 2.0])).outputs
    assert tf.make_ndarray(outputs["tripled"]).tolist() == [3, 6]
    signatures = swapped.http.get(f"/v1/models/{MODEL}/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "__saved_model_init_op"}
    code, details = swapped.predict_error(request("__saved_model_init_op"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "__saved_model_init_op" in details
