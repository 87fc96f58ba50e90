"""A server with one thread for each API and little patience: deadlines, and what is refused under load."""

import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from harness.waiting import wait_until
from tests.local_tf_serving.model_server import Gate, ModelServer, request

FOR_EVER = 2**62


@pytest_asyncio.fixture(scope="module")
async def narrow(built: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelServer]:
    server = ModelServer(built.parent, tmp_path_factory.mktemp("narrow") / "log")
    with server.running(grpc_max_threads=1, rest_api_num_threads=1, rest_api_timeout_in_ms=400, log_level="debug"):
        await server.until(1, "AVAILABLE")
        yield server


def is_free(server: ModelServer) -> bool:
    try:
        server.predict(request("echo_float", value=[1.0]))
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return False
    return True


async def test_one_prediction_more_than_threads_is_refused_and_the_state_still_told(
    narrow: ModelServer, gate: Gate
) -> None:
    await wait_until(lambda: is_free(narrow))
    running = narrow.prediction.Predict.future(gate.request)
    await gate.entered()
    refused = narrow.refusal(request("echo_float", value=[1.0]))
    assert refused == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
    assert narrow.states() == {1: "AVAILABLE"}
    await gate.open()
    assert running.result(10).outputs["passed"].bool_val == [True]
    await wait_until(lambda: is_free(narrow))


async def test_a_deadline_ends_the_run_in_the_session_too(narrow: ModelServer) -> None:
    await wait_until(lambda: is_free(narrow))
    code, _ = narrow.refusal(request("spin", rounds=FOR_EVER), timeout=0.5)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    await wait_until(lambda: is_free(narrow))
    assert narrow.lines("predict", "code=DEADLINE_EXCEEDED")


async def test_a_caller_that_goes_away_gives_its_thread_back_only_when_the_run_ends(
    narrow: ModelServer, gate: Gate
) -> None:
    await wait_until(lambda: is_free(narrow))
    abandoned = narrow.prediction.Predict.future(gate.request)
    await gate.entered()
    abandoned.cancel()
    assert not is_free(narrow)
    await gate.open()
    await wait_until(lambda: is_free(narrow))


def test_rest_gives_up_after_its_timeout(narrow: ModelServer) -> None:
    response = narrow.predict_json({"signature_name": "spin", "inputs": FOR_EVER})
    assert (response.status_code, response.json()) == (504, {"error": "Timed out waiting for notification"})


async def test_a_rest_prediction_waits_for_a_thread_and_its_time_runs_meanwhile(
    narrow: ModelServer, gate: Gate
) -> None:
    held = {"signature_name": "gate", "inputs": gate.request.inputs["path"].string_val[0].decode()}
    quick = {"signature_name": "echo_float", "instances": [1]}
    with ThreadPoolExecutor() as callers:
        running = callers.submit(narrow.predict_json, held)
        await gate.entered()
        sent = time.monotonic()
        waiting = callers.submit(narrow.predict_json, quick)
        assert narrow.http.get("/v1/models/m").status_code == 200, "looking things up takes no thread"
        assert is_free(narrow), "gRPC has a thread of its own"
        await wait_until(lambda: time.monotonic() > sent + 1)
        assert not waiting.done()
        await gate.open()
        assert (running.result().status_code, waiting.result().status_code) == (504, 504)
    assert narrow.predict_json(quick).json() == {"predictions": [1.0]}


def test_at_debug_level_there_is_a_line_a_request(narrow: ModelServer) -> None:
    before = len(narrow.lines("event=predict", "code=OK", "model=m"))
    narrow.predict(request("echo_float", value=[1.0]))
    assert len(narrow.lines("event=predict", "code=OK", "model=m")) == before + 1
