"""The process: when its ports open, how it ends, and how it reports errors."""

import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from harness.process import PYTHON, ROOT, Process
from harness.waiting import wait_until
from tests.local_tf_serving import saved_models
from tests.local_tf_serving.model_server import BlockedRequest, ModelServer, request

pytestmark = pytest.mark.slow


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def exit_status(process: Process, timeout: float = 60) -> int:
    assert process.popen
    return process.popen.wait(timeout)


async def test_ports_open_with_the_first_version_and_running_requests_outlast_sigterm(tmp_path: Path) -> None:
    base_path = tmp_path / "models"
    server = ModelServer(base_path, tmp_path / "log")
    over_grpc, over_rest = BlockedRequest(tmp_path / "grpc"), BlockedRequest(tmp_path / "rest")
    with (
        server.process(
            frequent_polls=True, enable_batching="true", max_num_load_retries=0, tensorflow_inter_op_parallelism=4
        ) as process,
        ThreadPoolExecutor() as clients,
    ):
        await wait_until(lambda: server.log_lines("base path unreadable"), within=60)
        base_path.mkdir()
        (base_path / "not a version").mkdir()
        await wait_until(lambda: len(server.log_lines("no version found", "level=warning")) >= 2)
        assert not listens(server.port)
        assert not listens(server.rest_port)
        assert server.log_lines("unknown argument: --enable_batching=true")

        saved_models.build(base_path, 3)
        await server.wait_for(3, "AVAILABLE")
        assert listens(server.rest_port)

        grpc_response = server.prediction.Predict.future(over_grpc.message)
        rest_response = clients.submit(server.predict_json, over_rest.body)
        await over_grpc.wait_until_running()
        await over_rest.wait_until_running()
        process.send(signal.SIGTERM)
        await wait_until(lambda: not listens(server.port) and not listens(server.rest_port))
        process.send(signal.SIGTERM)
        assert process.is_running, "it waits for the requests"
        await over_grpc.unblock()
        assert grpc_response.result(10).model_spec.version.value == 3
        assert process.is_running, "it waits for the REST request"
        await over_rest.unblock()
        response = rest_response.result(10)
        assert (response.status_code, response.text) == (200, '{"outputs":true}')
        assert exit_status(process, 15) == 0
    assert server.log_lines("server draining")
    assert server.log_lines("server stopped")


async def test_a_first_version_that_does_not_load_ends_the_server_with_255(version_1: Path, tmp_path: Path) -> None:
    server = ModelServer(version_1.parent, tmp_path / "log")
    with server.process(engine="openvino", max_num_load_retries=1, load_retry_interval_micros=10_000) as process:
        assert exit_status(process) == 255
    assert len(server.log_lines("version load failed", "code=NOT_FOUND")) == 2, "the load was retried"
    assert server.log_lines("cannot start", "Failed to start server", "no OpenVINO IR", "--engine=tensorflow")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_that_waits_for_a_version_ends_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    server = ModelServer(tmp_path / "missing", tmp_path / "log")
    with server.process(rest_api_port=0) as process:
        await wait_until(lambda: server.log_lines("base path unreadable"), within=60)
        process.send(number)
        assert exit_status(process, 15) == 0


def test_a_port_in_use_is_reported_in_one_line(version_1: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ModelServer(version_1.parent, tmp_path / "log", rest_port=listener.getsockname()[1])
        with server.process() as process:
            assert exit_status(process) == 1
    (line,) = server.log_lines()
    assert f"127.0.0.1:{server.rest_port} is in use" in line
    assert "--rest_api_port" in line


def test_an_address_of_another_machine_is_reported_in_one_line(version_1: Path, tmp_path: Path) -> None:
    server = ModelServer(version_1.parent, tmp_path / "log")
    with server.process(host="192.0.2.1") as process:  # TEST-NET-1, RFC 5737
        assert exit_status(process) == 1
    (line,) = server.log_lines()
    assert "cannot listen on 192.0.2.1" in line


async def test_two_servers_never_share_a_port(server: ModelServer, version_1: Path, tmp_path: Path) -> None:
    second = ModelServer(version_1.parent, tmp_path / "log", port=server.port)
    with second.process() as process:
        assert exit_status(process) == 1
    (line,) = second.log_lines()
    assert f"127.0.0.1:{server.port} is in use" in line
    assert "with --port" in line
    assert server.predict(request("echo_float", value=[1.0])).outputs["value"].float_val[0] == 1


@pytest.mark.parametrize("args", [["--help"], ["--port=x"], ["--model_base_path=relative"]])
def test_help_and_invalid_values_exit_with_255_without_importing_tensorflow(args: list[str]) -> None:
    script = (
        "import sys, local_tf_serving.__main__ as m\ntry: m.main()\nfinally: assert 'tensorflow' not in sys.modules"
    )
    process = subprocess.run(
        [PYTHON, "-c", script, *args], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (process.returncode, process.stdout) == (255, "")
    assert "usage: python -m local_tf_serving" in process.stderr


def test_a_server_that_is_not_running_is_unavailable(version_1: Path, tmp_path: Path) -> None:
    server = ModelServer(version_1.parent, tmp_path / "log")
    assert server.predict_error(request("echo_float", value=[1.0]))[0] is grpc.StatusCode.UNAVAILABLE
