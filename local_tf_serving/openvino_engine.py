"""OpenVINO on the IR beside the SavedModel (imagenet_export/openvino_ir.py writes it), with Pillow for the images."""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef

import service_log
from local_tf_serving import memory, pixels
from local_tf_serving.engine import Array, Options, Servable
from local_tf_serving.errors import Code, DataLoss, DeadlineExceeded, InvalidArgument, NotFound, ServingError

# Converts models, which is not done here, and reports each import to Google Analytics.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino  # noqa: E402

IR = Path("assets.extra", "openvino", "model.xml")
_SIGNATURES = "signatures.pb"
_DEVICE = "CPU"
_LONGEST_WAIT = 60_000.0  # milliseconds, for one look at whether it is done
_PRECISIONS = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}


class OpenVINOEngine:
    """A stream for each processor, of one thread, and one image at a time in each: a batch is spread over them.

    Images a second on 2 cores, inference alone, four asked for at once; the last column is one request of eight:

                               2 streams of 1 thread    1 stream of 2 threads    8 images in one inference
        MobileNetV2, float32            467                      210                      200
        MobileNetV2, bfloat16           575                      514                      355
        InceptionV3, float32             32                       30                       29
        InceptionV3, bfloat16            68                       56                       41

    What it costs: an image that is alone takes 5.4 ms instead of 3.5, and through InceptionV3 54 instead of 29 (in
    float32; in bfloat16 2.6 instead of 2.2, and 27 instead of 16).
    """

    def __init__(self, options: Options) -> None:
        memory.keep()
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
        streams = compiled.get_property("NUM_STREAMS")
        service_log.get_logger().info(
            "engine", engine="openvino", precision=self.precision, streams=streams, ir=str(path)
        )
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
        (images,) = inputs.values()
        if images.ndim != 1:
            raise InvalidArgument(f"images must be a vector, and these are of shape {list(images.shape)}")
        indices = [self._outputs[alias] for alias in outputs]
        answers = {index: np.empty((len(images), *self._shapes[index]), np.float32) for index in indices}
        batch = _Batch(answers, timeout, self._idle)
        try:
            for position, image in enumerate(images):
                if len(batch.under_way) == self._at_once:
                    batch.finish_one()
                batch.start(position, image, self._request())
            while batch.under_way:
                batch.finish_one()
        finally:
            batch.release()
        return [answers[index] for index in indices]

    def close(self) -> None:
        self._idle.clear()
        del self._compiled

    def _request(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()


class _Batch:
    """The images of one request, from the bytes to their rows of the answers."""

    def __init__(self, answers: Mapping[int, Array], timeout: float | None, idle: list[Any]) -> None:
        self.under_way: deque[tuple[int, Any]] = deque()
        self._answers = answers
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._idle = idle

    def start(self, position: int, image: bytes, request: Any) -> None:
        try:
            pixels.fill(request.get_input_tensor().data[0], image)
            self._seconds_left()
        except ServingError:
            self._idle.append(request)
            raise
        request.start_async()
        self.under_way.append((position, request))

    def finish_one(self) -> None:
        position, request = self.under_way[0]
        milliseconds = min(self._seconds_left() * 1000, _LONGEST_WAIT)
        try:
            while not request.wait_for(int(milliseconds)):
                self._seconds_left()
        except RuntimeError as error:
            raise ServingError(Code.INTERNAL, str(error)) from error
        for index, answer in self._answers.items():
            answer[position] = request.get_output_tensor(index).data[0]
        self.under_way.popleft()
        self._idle.append(request)

    def release(self) -> None:
        """What is still computed, for nobody, is waited for, as TensorFlow waits for the ops that run."""
        for _, request in self.under_way:
            with suppress(RuntimeError):
                request.wait()
            self._idle.append(request)

    def _seconds_left(self) -> float:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise DeadlineExceeded("Timed out waiting for notification")
        return seconds


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1
