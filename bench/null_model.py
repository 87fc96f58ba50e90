"""A model server without a model: TensorFlow Serving's gRPC API, with a fixed duration for each Predict.

`python -m bench.null_model --port=8500 --model_name=mobilenet_v2` responds to every Predict of N images after 2 ms with
scores of a cat, float32 [N, 1001]. It reports the model as AVAILABLE, and its signature.

The server is synchronous, which takes the least CPU time in grpcio. Each Predict occupies a thread that sleeps, so
the pool needs as many threads as there are concurrent Predicts. Requests are parsed only to count their images, and
each response is serialized once per batch size.
"""

import argparse
import signal
import threading
import time
from array import array
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import FrameType
from typing import Any, Final

import grpc

from tf_serving_client.protos import (
    DT_FLOAT,
    DT_STRING,
    GetModelMetadataResponse,
    GetModelStatusResponse,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
    SignatureDefMap,
)

PREDICT_S: Final = 0.002
Method = Callable[[bytes, grpc.ServicerContext], bytes]
LABELS: Final = 1001
CAT: Final = {286: 0.412337, 282: 0.287156, 283: 0.104521, 285: 0.052213, 288: 0.021043}
"""Score by label, similar to what MobileNetV2 gives for a cat. All other scores are 0."""


class NullModel:
    def __init__(self, name: str, predict_s: float) -> None:
        self._name = name
        self._predict_s = predict_s
        self._response = cache(self._scores)

    def predict(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        count = len(PredictRequest.FromString(request).inputs["image_bytes"].string_val)
        time.sleep(self._predict_s)
        return self._response(count)

    def metadata(self, _: bytes, __: grpc.ServicerContext) -> bytes:
        signatures = SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        signature.method_name = "tensorflow/serving/predict"
        for tensor, name, dtype, width in (
            (signature.inputs["image_bytes"], "image_bytes:0", DT_STRING, ()),
            (signature.outputs["scores"], "scores:0", DT_FLOAT, (LABELS,)),
        ):
            tensor.name, tensor.dtype = name, dtype
            for size in (-1, *width):
                tensor.tensor_shape.dim.add(size=size)
        response = GetModelMetadataResponse()
        self._set_spec(response.model_spec)
        response.metadata["signature_def"].Pack(signatures)
        return bytes(response.SerializeToString())

    def status(self, _: bytes, __: grpc.ServicerContext) -> bytes:
        response = GetModelStatusResponse()
        response.model_version_status.add(version=1, state=ModelVersionStatus.AVAILABLE)
        return bytes(response.SerializeToString())

    def _scores(self, count: int) -> bytes:
        response = PredictResponse()
        self._set_spec(response.model_spec)
        scores = response.outputs["scores"]
        scores.dtype = DT_FLOAT
        for size in (count, LABELS):
            scores.tensor_shape.dim.add(size=size)
        row = array("f", (CAT.get(label, 0.0) for label in range(LABELS)))
        scores.float_val.extend(row * count)
        return bytes(response.SerializeToString())

    def _set_spec(self, spec: Any) -> None:
        spec.name, spec.signature_name = self._name, "serving_default"
        spec.version.value = 1


def serve(model: NullModel, address: str, threads: int) -> "grpc.Server":
    predictions: Mapping[str, Method] = {"Predict": model.predict, "GetModelMetadata": model.metadata}
    services: Mapping[str, Mapping[str, Method]] = {
        "PredictionService": predictions,
        "ModelService": {"GetModelStatus": model.status},
    }
    handlers = [
        grpc.method_handlers_generic_handler(
            f"tensorflow.serving.{service}",
            {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()},
        )
        for service, methods in services.items()
    ]
    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(threads), handlers=handlers, options=options)
    server.add_insecure_port(address)
    server.start()
    return server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.null_model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--predict_s", type=float, default=PREDICT_S)
    parser.add_argument("--threads", type=int, default=64)
    args = parser.parse_args()
    stopping = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server = serve(NullModel(args.model_name, args.predict_s), f"127.0.0.1:{args.port}", args.threads)
    stopping.wait()
    server.stop(0).wait()


if __name__ == "__main__":
    main()
