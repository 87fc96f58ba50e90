"""One running server whose base path changes: what its callers notice, which is to be nothing."""

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
from tests.local_tf_serving import saved_models
from tests.local_tf_serving.model_server import MODEL, Gate, ModelServer, request

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(scope="module")
async def swapped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelServer]:
    base_path = tmp_path_factory.mktemp("swapped")
    saved_models.build(base_path, 1)
    server = ModelServer(base_path, tmp_path_factory.mktemp("swapped-log") / "log")
    with server.running(max_num_load_retries=1, load_retry_interval_micros=50_000):
        await server.until(1, "AVAILABLE")
        yield server


@pytest_asyncio.fixture
async def newest(swapped: ModelServer) -> int:
    """A version of the test's own, newer than all before it, alone in the base path, and available."""
    number = max(swapped.states()) + 1
    old = [child for child in swapped.base_path.iterdir() if child.name.isdecimal()]
    saved_models.build(swapped.base_path, number)
    await swapped.until(number, "AVAILABLE")
    for child in old:
        shutil.rmtree(child)
    await wait_until(lambda: set(swapped.states().values()) == {"AVAILABLE", "END"})
    return number


def version(server: ModelServer) -> int:
    """What the newest version computes as its number; the response is to name the same."""
    response = server.predict(request("version", x=[0.0]))
    computed = int(tf.make_ndarray(response.outputs["version"])[0])
    assert response.model_spec.version.value == computed
    return computed


@dataclass
class Load:
    answers: list[int] = field(default_factory=list)
    failures: list[grpc.RpcError] = field(default_factory=list)

    async def until(self, version: int) -> None:
        await wait_until(lambda: version in self.answers)


@contextmanager
def load(server: ModelServer, clients: int = 4) -> Iterator[Load]:
    """Clients that ask without pause for as long as the block runs."""
    seen = Load()
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                seen.answers.append(version(server))
            except grpc.RpcError as error:
                seen.failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
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


async def test_versions_come_and_go_under_load_and_no_request_fails(swapped: ModelServer, newest: int) -> None:
    with load(swapped) as seen:
        await seen.until(newest)
        for number in (newest + 1, newest + 2):
            saved_models.build(swapped.base_path, number)
            await seen.until(number)
            await swapped.until(number - 1, "END")
    assert seen.failures == []
    assert seen.answers[-1] == newest + 2
    assert error_of(swapped, newest) == (0, "")


async def test_a_request_under_way_ends_on_the_version_it_began_on(
    swapped: ModelServer, newest: int, gate: Gate
) -> None:
    running = swapped.prediction.Predict.future(gate.request)
    await gate.entered()
    saved_models.build(swapped.base_path, newest + 1)
    await swapped.until(newest, "UNLOADING")
    assert version(swapped) == newest + 1
    assert swapped.refusal(request("version", version=newest, x=[0.0]))[0] is grpc.StatusCode.NOT_FOUND
    await gate.open()
    assert running.result(10).model_spec.version.value == newest
    await swapped.until(newest, "END")


async def test_removing_the_newest_directory_rolls_back_under_load(swapped: ModelServer, newest: int) -> None:
    saved_models.build(swapped.base_path, newest + 1)
    await swapped.until(newest, "END")
    with load(swapped) as seen:
        shutil.rmtree(swapped.base_path / str(newest + 1))
        await seen.until(newest)
        await swapped.until(newest + 1, "END")
    assert seen.failures == []
    assert version(swapped) == newest


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [(None, grpc.StatusCode.NOT_FOUND, "Could not find SavedModel"), (b"\xff", grpc.StatusCode.DATA_LOSS, "")],
)
async def test_a_version_that_does_not_load_leaves_the_old_one_serving(
    swapped: ModelServer, newest: int, content: bytes | None, code: grpc.StatusCode, words: str
) -> None:
    broken = swapped.base_path / str(newest + 1)
    broken.mkdir()
    if content is not None:
        (broken / "saved_model.pb").write_bytes(content)
    await swapped.until(newest + 1, "END")
    got, message = error_of(swapped, newest + 1)
    assert got == code.value[0]
    assert words in message
    assert version(swapped) == newest
    assert len(swapped.lines("load failed", f"version={newest + 1} ")) == 2, "it was retried"
    shutil.rmtree(broken)


async def test_a_model_without_the_tag_serve_does_not_load(swapped: ModelServer, newest: int, tmp_path: Path) -> None:
    path = saved_models.build(tmp_path, newest + 1)
    model = (path / "saved_model.pb").read_bytes()
    assert model.count(b"\x05serve") == 1
    (path / "saved_model.pb").write_bytes(model.replace(b"\x05serve", b"\x05train"))
    saved_models.copy(path, swapped.base_path, newest + 1)
    await swapped.until(newest + 1, "END")
    assert error_of(swapped, newest + 1)[0] == grpc.StatusCode.NOT_FOUND.value[0]
    assert version(swapped) == newest


async def test_a_version_is_warmed_up_before_it_answers(swapped: ModelServer, newest: int, tmp_path: Path) -> None:
    path = saved_models.build(tmp_path, newest + 1)
    saved_models.add_warmup(path, request("version", x=[0.0]), request("total", x=[[1.0, 2.0]]))
    saved_models.copy(path, swapped.base_path, newest + 1)
    await swapped.until(newest + 1, "AVAILABLE")
    assert swapped.lines("warmed up", "records=2", f"/{newest + 1}")


async def test_a_failing_warm_up_fails_the_version(swapped: ModelServer, newest: int, tmp_path: Path) -> None:
    path = saved_models.build(tmp_path, newest + 1)
    saved_models.add_warmup(path, request(image_bytes=[b"no image"]))
    saved_models.copy(path, swapped.base_path, newest + 1)
    await swapped.until(newest + 1, "END")
    code, message = error_of(swapped, newest + 1)
    assert code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "Unknown image file format" in message
    assert version(swapped) == newest


async def test_an_emptied_base_path_unloads_all_and_a_missing_one_nothing(swapped: ModelServer, newest: int) -> None:
    away = swapped.base_path.with_name("away")
    swapped.base_path.rename(away)
    await wait_until(lambda: swapped.lines("base path unreadable"))
    assert version(swapped) == newest
    away.rename(swapped.base_path)
    shutil.rmtree(swapped.base_path / str(newest))
    await swapped.until(newest, "END")
    not_found = (grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({MODEL})")
    assert swapped.refusal(request("version", x=[0.0])) == not_found
    assert swapped.http.get(f"/v1/models/{MODEL}").json()["model_version_status"][0]["state"] == "END"


async def test_a_model_as_saved_today_is_served_with_its_variables(swapped: ModelServer, newest: int) -> None:
    saved_models.build_with_function(swapped.base_path, newest + 1)
    await swapped.until(newest + 1, "AVAILABLE")
    outputs = swapped.predict(request(x=[1.0, 2.0])).outputs
    assert tf.make_ndarray(outputs["tripled"]).tolist() == [3, 6]
    signatures = swapped.http.get(f"/v1/models/{MODEL}/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "__saved_model_init_op"}
    code, words = swapped.refusal(request("__saved_model_init_op"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "__saved_model_init_op" in words
