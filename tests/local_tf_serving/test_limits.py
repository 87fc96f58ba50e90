"""Deadlines and overload, on a server with one thread for each API and a short REST timeout."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from harness.waiting import wait_until
from tests.local_tf_serving.conftest import REST_TIMEOUT_MS
from tests.local_tf_serving.model_server import BlockedRequest, ModelServer, request

ENDLESS: Final = 2**62


def has_free_thread(server: ModelServer) -> bool:
    try:
        server.predict(request("echo_float", value=[1.0]))
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return False
    return True


async def test_a_prediction_is_refused_when_all_threads_are_busy_but_the_status_is_available(
    limited: ModelServer, blocked_request: BlockedRequest
) -> None:
    await wait_until(lambda: has_free_thread(limited))
    running = limited.prediction.Predict.future(blocked_request.message)
    await blocked_request.wait_until_running()
    error = limited.predict_error(request("echo_float", value=[1.0]))
    assert error == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
    assert limited.states() == {1: "AVAILABLE"}
    await blocked_request.unblock()
    assert running.result(10).outputs["done"].bool_val == [True]
    await wait_until(lambda: has_free_thread(limited))


async def test_a_deadline_ends_the_computation_in_the_session(limited: ModelServer) -> None:
    await wait_until(lambda: has_free_thread(limited))
    code, _ = limited.predict_error(request("loop", rounds=ENDLESS), timeout=0.5)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    await wait_until(lambda: has_free_thread(limited))
    assert limited.log_lines("predict finished", "code=DEADLINE_EXCEEDED")


async def test_a_cancelled_call_keeps_its_thread_until_the_computation_ends(
    limited: ModelServer, blocked_request: BlockedRequest
) -> None:
    await wait_until(lambda: has_free_thread(limited))
    cancelled = limited.prediction.Predict.future(blocked_request.message)
    await blocked_request.wait_until_running()
    cancelled.cancel()
    assert not has_free_thread(limited)
    await blocked_request.unblock()
    await wait_until(lambda: has_free_thread(limited))


def test_a_rest_prediction_times_out(limited: ModelServer) -> None:
    response = limited.predict_json({"signature_name": "loop", "inputs": ENDLESS})
    assert (response.status_code, response.json()) == (504, {"error": "Timed out waiting for notification"})


async def test_a_rest_prediction_waits_for_a_thread_and_its_timeout_includes_the_wait(
    limited: ModelServer, blocked_request: BlockedRequest
) -> None:
    quick = {"signature_name": "echo_float", "instances": [1]}
    with ThreadPoolExecutor() as clients:
        running = clients.submit(limited.predict_json, blocked_request.body)
        await blocked_request.wait_until_running()
        sent = time.monotonic()
        waiting = clients.submit(limited.predict_json, quick)
        assert limited.http.get("/v1/models/m").status_code == 200, "the status needs no thread of the pool"
        assert has_free_thread(limited), "gRPC has its own thread"
        await wait_until(lambda: time.monotonic() > sent + 1.5 * REST_TIMEOUT_MS / 1000)
        assert not waiting.done()
        await blocked_request.unblock()
        assert (running.result().status_code, waiting.result().status_code) == (504, 504)
    assert limited.predict_json(quick).json() == {"predictions": [1.0]}


def test_each_prediction_is_logged_at_debug_level(limited: ModelServer) -> None:
    before = len(limited.log_lines('event="predict finished"', "code=OK", "model=m"))
    limited.predict(request("echo_float", value=[1.0]))
    assert len(limited.log_lines('event="predict finished"', "code=OK", "model=m")) == before + 1
