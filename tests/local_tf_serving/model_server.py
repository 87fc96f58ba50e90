"""The real server in a process of its own, with clients for its APIs."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from harness.process import PYTHON, Process, free_port
from harness.waiting import wait_until

MODEL: Final = "m"
PAIR: Final = np.array([[1, 2]], np.float32)


@dataclass(slots=True)
class ModelServer:
    base_path: Path
    log: Path
    port: int = field(default_factory=free_port)
    rest_port: int = field(default_factory=free_port)
    channel: grpc.Channel = field(init=False)
    prediction: Any = field(init=False)
    model: Any = field(init=False)
    http: httpx.Client = field(init=False)
    pid: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}",
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 100),
            ],
        )
        self.prediction = PredictionServiceStub(self.channel)
        self.model = ModelServiceStub(self.channel)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.rest_port}", timeout=30, trust_env=False)

    @contextmanager
    def process(self, *, frequent_polls: bool = False, **flags: object) -> Iterator[Process]:
        flags = {
            "host": "127.0.0.1",
            "port": self.port,
            "rest_api_port": self.rest_port,
            "model_name": MODEL,
            "model_base_path": self.base_path,
            **flags,
        }
        module = "tests.local_tf_serving.frequent_polls" if frequent_polls else "local_tf_serving"
        command = [PYTHON, "-m", module, *(f"--{name}={value}" for name, value in flags.items())]
        try:
            with Process(command, {}, self.log) as process:
                self.pid = process.pid
                yield process
        finally:
            self.channel.close()
            self.http.close()

    def states(self) -> dict[int, str]:
        """The state of each version; empty until the server listens."""
        request = GetModelStatusRequest()
        request.model_spec.name = MODEL
        try:
            response = self.model.GetModelStatus(request, timeout=10)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
                return {}
            raise
        return {status.version: ModelVersionStatus.State.Name(status.state) for status in response.model_version_status}

    async def wait_for(self, version: int, state: str) -> None:
        await wait_until(lambda: self.states().get(version) == state, within=60)

    def predict(self, request: PredictRequest, timeout: float = 30) -> Any:
        return self.prediction.Predict(request, timeout=timeout)

    def predict_error(self, request: PredictRequest, timeout: float = 30) -> tuple[grpc.StatusCode, str]:
        """The code and the details of the error that `request` causes."""
        with pytest.raises(grpc.RpcError) as caught:
            self.predict(request, timeout)
        return caught.value.code(), str(caught.value.details())

    def predict_json(self, body: object, path: str = f"/v1/models/{MODEL}") -> httpx.Response:
        return self.http.post(f"{path}:predict", json=body)

    def log_lines(self, *words: str) -> list[str]:
        """The log lines that contain all of `words`."""
        return [line for line in self.log.read_text("utf-8").splitlines() if all(word in line for word in words)]


def request(signature: str = "", version: int | None = None, **inputs: Any) -> PredictRequest:
    """A PredictRequest whose arrays and lists are converted as TensorFlow's own clients do it."""
    message = PredictRequest()
    message.model_spec.name = MODEL
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(value if isinstance(value, tf.make_tensor_proto(0).__class__) else _tensor(value))
    return message


def filtered(*aliases: str) -> PredictRequest:
    """A request for these outputs of the signature `arithmetic`."""
    message = request("arithmetic", x=PAIR, y=PAIR)
    message.output_filter.extend(aliases)
    return message


def _tensor(value: Any) -> Any:
    if isinstance(value, list | float) and not (isinstance(value, list) and value and isinstance(value[0], bytes)):
        value = np.array(value, np.float32)
    return tf.make_tensor_proto(value)


class BlockedRequest:
    """A request to the signature `block`, which stays in the model until `unblock` is called."""

    def __init__(self, fifo: Path) -> None:
        self._fifo = fifo
        os.mkfifo(fifo)

    @property
    def message(self) -> PredictRequest:
        return request("block", path=str(self._fifo).encode())

    @property
    def body(self) -> dict[str, str]:
        """For REST."""
        return {"signature_name": "block", "inputs": str(self._fifo)}

    async def wait_until_running(self) -> None:
        await wait_until(self._fifo.with_name(self._fifo.name + ".running").exists)

    async def unblock(self) -> None:
        await asyncio.to_thread(self._fifo.read_bytes)
