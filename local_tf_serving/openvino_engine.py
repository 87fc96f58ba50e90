"""OpenVINO on the IR beside the SavedModel (imagenet_export/openvino_ir.py writes it), with Pillow for the images."""

import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef

from local_tf_serving import pixels
from local_tf_serving.engine import Array, Options, Servable
from local_tf_serving.errors import Code, DataLoss, DeadlineExceeded, InvalidArgument, NotFound, ServingError

# Converts models, which is not done here, and reports each import to Google Analytics.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
import openvino  # noqa: E402

IR = Path("assets.extra", "openvino", "model.xml")
_SIGNATURES = "signatures.pb"
_DEVICE = "CPU"
_PRECISIONS = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}


class OpenVINOEngine:
    """A stream for each processor, of one thread, and one image at a time in each: a batch is spread over them."""

    def __init__(self, options: Options) -> None:
        self._core = openvino.Core()
        self.precision = self._precision(options.inference_precision)
        threads = options.intra_op or _processors()
        self._config = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[self.precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": options.inter_op or threads,
            "ENABLE_CPU_PINNING": False,  # a pinned stream waits for whoever else is on its processor
        }

    def load(self, directory: Path) -> Servable:
        path = directory / IR
        if not path.is_file():
            raise NotFound(f"Could not find an IR at {path}: export the model anew, or use --engine=tensorflow")
        try:
            definitions = MetaGraphDef.FromString(path.with_name(_SIGNATURES).read_bytes()).signature_def
            model = self._core.read_model(path)
            _, height, width, channels = model.input().partial_shape
            model.reshape([1, height, width, channels])  # a fixed shape computes a third faster than an open one
            compiled = self._core.compile_model(model, _DEVICE, self._config)
        except (OSError, DecodeError, RuntimeError, ValueError) as error:  # RuntimeError: whatever OpenVINO can't do
            raise DataLoss(f"{path} can't be loaded: {error}") from error
        return OpenVINOServable(compiled, dict(definitions))

    def _precision(self, wanted: str) -> str:
        """bfloat16 where the processor computes with it, unless told otherwise."""
        if wanted != "auto":
            return wanted
        return "bfloat16" if "BF16" in self._core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES") else "float32"


class OpenVINOServable:
    """Any number of threads ask at once; OpenVINO serves all their images in the order they came."""

    def __init__(self, compiled: openvino.CompiledModel, signature_defs: Mapping[str, SignatureDef]) -> None:
        self.signature_defs = signature_defs
        self._compiled = compiled
        self._outputs = {next(iter(output.get_names())): index for index, output in enumerate(compiled.outputs)}
        self._shapes = [tuple(output.shape)[1:] for output in compiled.outputs]
        self._at_once = 2 * compiled.get_property("NUM_STREAMS")  # while one is computed, the next is decoded
        self._idle: list[openvino.InferRequest] = []

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str], timeout: float | None
    ) -> list[Array]:
        deadline = None if timeout is None else time.monotonic() + timeout
        (images,) = inputs.values()
        if images.ndim != 1:
            raise InvalidArgument(f"images must be a vector, and are of shape {list(images.shape)}")
        indices = [self._outputs[alias] for alias in outputs]
        answers = [np.empty((len(images), *self._shapes[index]), np.float32) for index in indices]
        under_way: deque[tuple[int, openvino.InferRequest]] = deque()

        def finish() -> None:
            position, request = under_way.popleft()
            _wait(request, deadline)
            for index, answer in zip(indices, answers, strict=True):
                answer[position] = request.get_output_tensor(index).data[0]
            self._idle.append(request)

        for position, image in enumerate(images):
            if len(under_way) == self._at_once:
                finish()
            request = self._request()
            pixels.fill(request.get_input_tensor().data[0], image)
            _check(deadline)
            request.start_async()
            under_way.append((position, request))
        while under_way:
            finish()
        return answers

    def close(self) -> None:
        self._idle.clear()
        del self._compiled

    def _request(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()


def _wait(request: openvino.InferRequest, deadline: float | None) -> None:
    """Raises DeadlineExceeded, and then the request is not idle."""
    try:
        if deadline is None:
            request.wait()
        elif not request.wait_for(max(0, int((deadline - time.monotonic()) * 1000))):
            raise DeadlineExceeded("Timed out waiting for notification")
    except RuntimeError as error:
        raise ServingError(Code.INTERNAL, str(error)) from error


def _check(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        raise DeadlineExceeded("Timed out waiting for notification")


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1
