"""Runs the OpenVINO IR that model_export/openvino_ir.py writes beside a SavedModel; Pillow decodes the images."""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef

import service_log
from local_tf_serving import memory, pixels
from local_tf_serving.engine import Array, EngineOptions, Servable
from local_tf_serving.errors import Code, DataLoss, DeadlineExceeded, InvalidArgument, NotFound, ServingError

# Both are optional parts of OpenVINO: its model converter, and the telemetry that it sends to Google Analytics.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type] # None makes an import fail
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # likewise
import openvino  # noqa: E402 (after its optional parts are disabled)

IR_PATH: Final = Path("assets.extra", "openvino", "model.xml")
SIGNATURES_FILE: Final = "signatures.pb"
DEVICE: Final = "CPU"
MAX_WAIT_S: Final = 60.0
"""OpenVINO takes a wait's timeout as an int of milliseconds, so longer ones are split."""
RESIZE_INFO: Final = ["model_export", "resize"]
"""Where an IR's `rt_info` says how to resize images, unless they are stretched."""
PRECISION_TYPES: Final = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}


class OpenVINOEngine:
    """Runs one single-threaded stream per CPU, each with one image at a time, so a batch is spread over all CPUs.

    Images per second on 2 CPUs, inference only, with four concurrent requests; the last column is one request of eight:

                               2 streams of 1 thread    1 stream of 2 threads    8 images in one inference
        MobileNetV2, float32            467                      210                      200
        MobileNetV2, bfloat16           575                      514                      355
        InceptionV3, float32             32                       30                       29
        InceptionV3, bfloat16            68                       56                       41

    In exchange, a single image takes longer: 5.4 ms instead of 3.5 with MobileNetV2 in float32, 54 instead of 29 with
    InceptionV3; in bfloat16 2.6 instead of 2.2, and 27 instead of 16.
    """

    def __init__(self, options: EngineOptions) -> None:
        memory.retain_freed_blocks()
        self._core = openvino.Core()
        # Two threads that are the first to access a tensor's data can deadlock while the bindings set up NumPy. Without
        # warm-up requests, those threads would be the first requests.
        _ = openvino.Tensor(openvino.Type.f32, openvino.Shape([1])).data
        self.precision = self._choose_precision(options.inference_precision)
        threads = options.intra_op or _cpu_count()
        self._config = {
            "INFERENCE_PRECISION_HINT": PRECISION_TYPES[self.precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": options.inter_op or threads,
            "ENABLE_CPU_PINNING": False,  # a pinned stream would wait while another process uses its CPU
        }

    def load(self, directory: Path) -> Servable:
        path = directory / IR_PATH
        if not path.is_file():
            raise NotFound(f"there is no OpenVINO IR at {path}: export the model again, or use --engine=tensorflow")
        try:
            definitions = MetaGraphDef.FromString(path.with_name(SIGNATURES_FILE).read_bytes()).signature_def
            model = self._core.read_model(path)
            _, height, width, channels = model.input().partial_shape
            resize = model.get_rt_info(RESIZE_INFO).astype(str) if model.has_rt_info(RESIZE_INFO) else "stretch"
            if resize not in pixels.RESIZE:
                raise DataLoss(f"cannot load {path}: this server cannot resize images by {resize!r}; update it")
            model.reshape([1, height, width, channels])  # a third faster than with a dynamic batch size
            compiled = self._core.compile_model(model, DEVICE, self._config)
        except (OSError, DecodeError, RuntimeError, ValueError) as error:  # OpenVINO raises RuntimeError
            raise DataLoss(f"cannot load {path}: {error}") from error
        streams = compiled.get_property("NUM_STREAMS")
        service_log.get_logger().info(
            "engine selected", engine="openvino", precision=self.precision, streams=streams, ir=str(path)
        )
        return OpenVINOServable(compiled, dict(definitions), pixels.RESIZE[resize])

    def _choose_precision(self, option: str) -> str:
        """`auto` is bfloat16 if the CPU supports it."""
        if option != "auto":
            return option
        return "bfloat16" if "BF16" in self._core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES") else "float32"


class OpenVINOServable:
    """Accepts calls from any number of threads. OpenVINO computes the images of all of them in order of arrival."""

    def __init__(
        self, compiled: openvino.CompiledModel, signature_defs: Mapping[str, SignatureDef], fill: pixels.Fill
    ) -> None:
        self._fill = fill
        self.signature_defs = signature_defs
        self._compiled = compiled
        self._outputs = {next(iter(output.get_names())): index for index, output in enumerate(compiled.outputs)}
        self._shapes = [tuple(output.shape)[1:] for output in compiled.outputs]
        self._max_started = 2 * compiled.get_property("NUM_STREAMS")  # decode one image while another is computed
        self._idle: list[openvino.InferRequest] = []

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str], timeout: timedelta | None
    ) -> list[Array]:
        (images,) = inputs.values()
        if images.ndim != 1:
            raise InvalidArgument(f"the input must be a vector of images, but its shape is {list(images.shape)}")
        indices = [self._outputs[alias] for alias in outputs]
        results = {index: np.empty((len(images), *self._shapes[index]), np.float32) for index in indices}
        batch = _Batch(results, timeout, self._idle, self._fill)
        try:
            for position, image in enumerate(images):
                if len(batch.started) == self._max_started:
                    batch.finish_one()
                batch.start(position, image, self._infer_request())
            while batch.started:
                batch.finish_one()
        finally:
            batch.release()
        return [results[index] for index in indices]

    def close(self) -> None:
        self._idle.clear()
        del self._compiled

    def _infer_request(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()


class _Batch:
    """Computes the images of one call and writes the outputs of each into its row of the results."""

    def __init__(
        self, results: Mapping[int, Array], timeout: timedelta | None, idle: list[Any], fill: pixels.Fill
    ) -> None:
        self._fill = fill
        self.started: deque[tuple[int, Any]] = deque()
        self._results = results
        self._deadline_s = math.inf if timeout is None else time.monotonic() + timeout.total_seconds()
        self._idle = idle

    def start(self, position: int, image: bytes, request: Any) -> None:
        try:
            self._fill(request.get_input_tensor().data[0], image)
            self._remaining_s()
        except ServingError:
            self._idle.append(request)
            raise
        request.start_async()
        self.started.append((position, request))

    def finish_one(self) -> None:
        position, request = self.started[0]
        milliseconds = int(min(self._remaining_s(), MAX_WAIT_S) * 1000)
        try:
            while not request.wait_for(milliseconds):
                self._remaining_s()
        except RuntimeError as error:
            raise ServingError(Code.INTERNAL, str(error)) from error
        for index, result in self._results.items():
            result[position] = request.get_output_tensor(index).data[0]
        self.started.popleft()
        self._idle.append(request)

    def release(self) -> None:
        """Wait for images still being computed after an error, as TensorFlow waits for running ops."""
        for _, request in self.started:
            with suppress(RuntimeError):
                request.wait()
            self._idle.append(request)

    def _remaining_s(self) -> float:
        """Raises DeadlineExceeded when no time remains."""
        remaining = self._deadline_s - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded("Timed out waiting for notification")
        return remaining


def _cpu_count() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1
