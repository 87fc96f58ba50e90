"""The real server in a process of its own, and what a client of it needs."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

MODEL = "m"


@dataclass
class ModelServer:
    base_path: Path
    log: Path
    port: int = field(default_factory=free_port)
    rest_port: int = field(default_factory=free_port)

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
    def running(self, **flags: object) -> "Iterator[subprocess.Popen[bytes]]":
        flags = {
            "host": "127.0.0.1",
            "port": self.port,
            "rest_api_port": self.rest_port,
            "model_name": MODEL,
            "model_base_path": self.base_path,
            **flags,
        }
        command = [PYTHON, "-m", "local_tf_serving", *(f"--{name}={value}" for name, value in flags.items())]
        try:
            with Process(command, {}, self.log) as process:
                assert process.popen
                yield process.popen
        finally:
            self.channel.close()
            self.http.close()

    def states(self) -> dict[int, str]:
        """Version to state; empty as long as the server doesn't listen."""
        request = GetModelStatusRequest()
        request.model_spec.name = MODEL
        try:
            response = self.model.GetModelStatus(request, timeout=10)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
                return {}
            raise
        return {status.version: ModelVersionStatus.State.Name(status.state) for status in response.model_version_status}

    async def until(self, version: int, state: str) -> None:
        await wait_until(lambda: self.states().get(version) == state, within=60)

    def predict(self, request: PredictRequest, timeout: float = 30) -> Any:
        return self.prediction.Predict(request, timeout=timeout)

    def refusal(self, request: PredictRequest, timeout: float = 30) -> tuple[grpc.StatusCode, str]:
        """The code and the words of the error `request` gets."""
        with pytest.raises(grpc.RpcError) as caught:
            self.predict(request, timeout)
        return caught.value.code(), str(caught.value.details())

    def predict_json(self, body: object, path: str = f"/v1/models/{MODEL}") -> httpx.Response:
        return self.http.post(f"{path}:predict", json=body)

    def lines(self, *words: str) -> list[str]:
        """Of the log, those that hold all of `words`."""
        return [line for line in self.log.read_text("utf-8").splitlines() if all(word in line for word in words)]


def request(signature: str = "", version: int | None = None, **inputs: Any) -> PredictRequest:
    """A PredictRequest; numpy arrays and lists become tensors as TensorFlow's own clients make them."""
    message = PredictRequest()
    message.model_spec.name = MODEL
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(value if isinstance(value, tf.make_tensor_proto(0).__class__) else _tensor(value))
    return message


def _tensor(value: Any) -> Any:
    if isinstance(value, list | float):
        value = np.array(value, np.float32) if not _holds_bytes(value) else value
    return tf.make_tensor_proto(value)


def _holds_bytes(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], bytes)


class Gate:
    """Holds a request to the signature `gate` inside the model until it is opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        os.mkfifo(path)

    @property
    def request(self) -> PredictRequest:
        return request("gate", path=str(self._path).encode())

    async def entered(self) -> None:
        await wait_until(self._path.with_name(self._path.name + ".entered").exists)

    async def open(self) -> None:
        await asyncio.to_thread(self._path.read_bytes)
