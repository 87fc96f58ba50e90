"""The process: when its ports open, how it ends, and what it says to the person who started it."""

import signal
import socket
import subprocess
from pathlib import Path

import grpc
import pytest

from harness.process import PYTHON, ROOT, free_port
from harness.waiting import wait_until
from tests.local_tf_serving import saved_models
from tests.local_tf_serving.model_server import Gate, ModelServer, request

pytestmark = pytest.mark.slow


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    process.send_signal(number)
    return process.wait(15)


async def test_the_ports_open_with_the_first_version_and_a_request_under_way_outlives_sigterm(
    tmp_path: Path, gate: Gate
) -> None:
    base_path = tmp_path / "models"
    server = ModelServer(base_path, tmp_path / "log")
    with server.running(enable_batching="true", max_num_load_retries=0) as process:
        await wait_until(lambda: server.lines("base path unreadable"), within=60)
        base_path.mkdir()
        (base_path / "not a version").mkdir()
        await wait_until(lambda: len(server.lines("no versions", "level=warning")) >= 2)
        assert not listens(server.port)
        assert not listens(server.rest_port)
        assert server.lines("unknown argument: --enable_batching=true")

        saved_models.build(base_path, 3)
        await server.until(3, "AVAILABLE")
        assert listens(server.rest_port)

        over_grpc = server.prediction.Predict.future(gate.request)
        await gate.entered()
        process.send_signal(signal.SIGTERM)
        await wait_until(lambda: not listens(server.port) and not listens(server.rest_port))
        process.send_signal(signal.SIGTERM)
        assert process.poll() is None, "it waits for the request"
        await gate.open()
        assert over_grpc.result(10).model_spec.version.value == 3
        assert process.wait(15) == 0
    assert server.lines("draining")
    assert server.lines("stopped")


async def test_a_rest_request_under_way_outlives_sigint(built: Path, tmp_path: Path, gate: Gate) -> None:
    server = ModelServer(built.parent, tmp_path / "log")
    with server.running() as process:
        await server.until(1, "AVAILABLE")
        body = b'{"signature_name": "gate", "inputs": "' + gate.request.inputs["path"].string_val[0] + b'"}'
        with socket.create_connection(("127.0.0.1", server.rest_port)) as client:
            client.sendall(
                b"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await gate.entered()
            process.send_signal(signal.SIGINT)
            await wait_until(lambda: not listens(server.rest_port))
            await gate.open()
            client.settimeout(10)
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b'{"outputs":true}')
        assert process.wait(15) == 0


async def test_a_first_version_that_never_loads_ends_the_server_with_255(tmp_path: Path) -> None:
    base_path = tmp_path / "models"
    (base_path / "1").mkdir(parents=True)
    server = ModelServer(base_path, tmp_path / "log")
    with server.running(max_num_load_retries=1, load_retry_interval_micros=10_000) as process:
        assert process.wait(60) == 255
    assert server.lines("can't start", "Failed to start server", "Could not find SavedModel")


async def test_a_server_that_waits_for_a_version_ends_at_once(tmp_path: Path) -> None:
    server = ModelServer(tmp_path / "missing", tmp_path / "log")
    with server.running(rest_api_port=0) as process:
        await wait_until(lambda: server.lines("base path unreadable"), within=60)
        assert end(process, signal.SIGTERM) == 0


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_a_port_in_use_is_said_in_one_line_with_a_way_out(built: Path, tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = ModelServer(built.parent, tmp_path / "log")
        with server.running(**{flag: port}) as process:
            assert process.wait(30) == 1
    (line,) = server.lines()
    assert f"127.0.0.1:{port} is in use" in line
    assert f"--{flag}" in line


def test_an_address_that_is_not_this_machines_is_said_in_one_line(built: Path, tmp_path: Path) -> None:
    server = ModelServer(built.parent, tmp_path / "log")
    with server.running(host="192.0.2.1") as process:  # TEST-NET-1, RFC 5737
        assert process.wait(30) == 1
    (line,) = server.lines()
    assert "can't listen on 192.0.2.1" in line


@pytest.mark.parametrize("arguments", [["--help"], ["--port=x"], ["--model_base_path=relative"]])
def test_help_and_bad_values_exit_with_255_without_loading_tensorflow(arguments: list[str]) -> None:
    script = (
        "import sys, local_tf_serving.__main__ as m\ntry: m.main()\nfinally: assert 'tensorflow' not in sys.modules"
    )
    ended = subprocess.run(
        [PYTHON, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (255, "")
    assert "usage: python -m local_tf_serving" in ended.stderr


async def test_two_servers_never_share_a_port(server: ModelServer, built: Path, tmp_path: Path) -> None:
    second = ModelServer(built.parent, tmp_path / "log", port=server.port, rest_port=free_port())
    with second.running() as process:
        assert process.wait(30) == 1
    assert server.predict(request("echo_float", value=[1.0])).outputs["value"].float_val[0] == 1


def test_the_channel_of_a_server_that_is_gone_is_unavailable(built: Path, tmp_path: Path) -> None:
    nobody = ModelServer(built.parent, tmp_path / "log")
    assert nobody.refusal(request("echo_float", value=[1.0]))[0] is grpc.StatusCode.UNAVAILABLE
