"""A model server that a test scripts: its signatures, its version and what it answers. The gRPC server is real."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio

from harness.process import free_port
from tf_serving_client.protos import (
    DT_FLOAT,
    DT_STRING,
    DataType,
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
    SignatureDef,
    SignatureDefMap,
)

SHOWN_DTYPES: Final = {"string": DT_STRING, "float32": DT_FLOAT}
Tensors = Mapping[str, tuple[str, Sequence[int] | None]]
"""By alias: the dtype, and the shape with -1 for any size; None for an unknown rank."""


class Refused(Exception):
    """Raised by a script: the call fails with this code."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self.code = code


def signature(inputs: Tensors, outputs: Tensors) -> SignatureDef:
    definition = SignatureDef(method_name="tensorflow/serving/predict")
    for named, tensors in ((definition.inputs, inputs), (definition.outputs, outputs)):
        for alias, (dtype, shape) in tensors.items():
            tensor = named[alias]
            tensor.name = f"{alias}:0"
            tensor.dtype = SHOWN_DTYPES.get(dtype) or DataType.Value(f"DT_{dtype.upper()}")
            tensor.tensor_shape.unknown_rank = shape is None
            for size in shape or ():
                tensor.tensor_shape.dim.add(size=size)
    return definition


def classifier(width: int, input_: str = "image_bytes", output: str = "scores") -> SignatureDef:
    return signature({input_: ("string", [-1])}, {output: ("float32", [-1, width])})


@dataclass(slots=True)
class FakeModel:
    """Answers each payload with `scores(payload)`."""

    scores: Callable[[bytes], Sequence[float]] = lambda _: (0.9, 0.1)
    name: str = "m"
    version: int = 1
    signatures: dict[str, SignatureDef] = field(default_factory=lambda: {"serving_default": classifier(2)})
    served_names: tuple[str, ...] = ("m",)
    state: int = ModelVersionStatus.AVAILABLE
    predicts: list[list[bytes]] = field(default_factory=list)
    descriptions: int = 0

    async def predict(self, request: PredictRequest) -> PredictResponse:
        self._find(request.model_spec.name)
        await asyncio.sleep(0)  # lets further requests queue up
        response = PredictResponse()
        response.model_spec.version.value = self.version
        definition = self.signatures.get(request.model_spec.signature_name)
        if definition is None:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION)
        if request.inputs.keys() != definition.inputs.keys():
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT)
        [tensor] = request.inputs.values()
        self.predicts.append([*tensor.string_val])
        for alias in request.output_filter or definition.outputs:
            output = response.outputs[alias]
            output.dtype = definition.outputs[alias].dtype
            rows = [self.scores(payload) for payload in tensor.string_val]
            for size in (len(rows), len(rows[0])):
                output.tensor_shape.dim.add(size=size)
            for row in rows:
                output.float_val.extend(row)
        return response

    async def metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        self._find(request.model_spec.name)
        self.descriptions += 1
        response = GetModelMetadataResponse()
        response.model_spec.version.value = self.version
        response.metadata["signature_def"].Pack(SignatureDefMap(signature_def=self.signatures))
        return response

    async def status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        if request.model_spec.name not in self.served_names:
            raise Refused(grpc.StatusCode.NOT_FOUND)
        response = GetModelStatusResponse()
        response.model_version_status.add(version=self.version, state=self.state)
        return response

    def _find(self, name: str) -> None:
        if name not in self.served_names or self.state != ModelVersionStatus.AVAILABLE:
            raise Refused(grpc.StatusCode.NOT_FOUND)


@asynccontextmanager
async def fake_model_server(model: FakeModel, port: int | None = None) -> AsyncIterator[str]:
    """Yield the address."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [
            _service("PredictionService", Predict=_method(model.predict, PredictRequest)),
            _service("PredictionService", GetModelMetadata=_method(model.metadata, GetModelMetadataRequest)),
            _service("ModelService", GetModelStatus=_method(model.status, GetModelStatusRequest)),
        ]
    )
    address = f"127.0.0.1:{port or free_port()}"
    server.add_insecure_port(address)
    await server.start()
    try:
        yield address
    finally:
        await server.stop(None)


def _service(name: str, **methods: Any) -> Any:
    return grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", methods)


def _method(respond: Callable[[Any], Any], request_type: Any) -> Any:
    async def handle(request: Any, context: Any) -> Any:
        try:
            return await respond(request)
        except Refused as refusal:
            await context.abort(refusal.code, "as the test's script says")

    return grpc.unary_unary_rpc_method_handler(
        handle, request_type.FromString, lambda response: response.SerializeToString()
    )
