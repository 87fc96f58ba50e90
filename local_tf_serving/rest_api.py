"""The REST API: paths, methods and status codes (model_servers/http_rest_api_util.cc, http_server.cc)."""

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from local_tf_serving import json_request, json_response
from local_tf_serving.data_plane import METADATA_FIELD, DataPlane
from local_tf_serving.errors import Code, InvalidArgument, ServingError, Unimplemented

VERSION: Final = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
API_PATH: Final = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
INFERENCE_PATH: Final = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE
)
MODEL_PATH: Final = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{VERSION}(?P<metadata>/metadata)?", re.IGNORECASE)
MAX_INT64: Final = 2**63 - 1

HTTP_STATUS: Final = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNKNOWN: 500,
    Code.INTERNAL: 500,
    Code.DATA_LOSS: 500,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}


class RestApi:
    """An ASGI application. Predictions run in a thread pool; status and metadata are read on the event loop."""

    def __init__(self, data_plane: DataPlane, max_threads: int, timeout: timedelta) -> None:
        """Run up to `max_threads` predictions concurrently; others wait, and their timeout includes the waiting."""
        self._data_plane = data_plane
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(max_threads, thread_name_prefix="rest")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1")
        if not API_PATH.fullmatch(path):
            return Response("Not Found", HTTP_STATUS[Code.NOT_FOUND], media_type="text/plain")
        try:
            content = await self._dispatch(request, path)
            code = Code.OK
        except ServingError as error:
            content, code = json_response.error(error.message), error.code
        return Response(content, HTTP_STATUS[code], media_type="application/json")

    async def _dispatch(self, request: Request, path: str) -> bytes:
        if request.method == "POST" and (match := INFERENCE_PATH.fullmatch(path)):
            if match["method"].lower() != "predict":
                raise Unimplemented(f"{match['method']} is not supported: use predict")
            deadline_s = time.monotonic() + self._timeout.total_seconds()
            body = await request.body()
            prediction = self._threads.submit(self._predict, body, _model_spec(match), deadline_s)
            return await asyncio.wrap_future(prediction)
        if request.method == "GET" and (match := MODEL_PATH.fullmatch(path)):
            if not match["name"]:
                raise InvalidArgument("Missing model name in request.")
            return self._metadata(_model_spec(match)) if match["metadata"] else self._status(_model_spec(match))
        raise InvalidArgument(f"Malformed request: {request.method} {path}")

    def _predict(self, body: bytes, model_spec: ModelSpec, deadline_s: float) -> bytes:
        request = PredictRequest(model_spec=model_spec)

        def input_types(signature_name: str) -> Any:
            return self._data_plane.input_types(request.model_spec)

        layout = json_request.read(body, input_types, request)
        response = self._data_plane.predict(request, timedelta(seconds=deadline_s - time.monotonic()))
        return json_response.prediction(response.outputs, layout)

    def _status(self, model_spec: ModelSpec) -> bytes:
        return json_response.status(self._data_plane.get_model_status(GetModelStatusRequest(model_spec=model_spec)))

    def _metadata(self, model_spec: ModelSpec) -> bytes:
        request = GetModelMetadataRequest(model_spec=model_spec, metadata_field=[METADATA_FIELD])
        return json_response.metadata(self._data_plane.get_model_metadata(request))


def _model_spec(match: re.Match[str]) -> ModelSpec:
    model_spec = ModelSpec(name=unquote(match["name"]))
    if match["version"]:
        if int(match["version"]) > MAX_INT64:
            raise InvalidArgument(f"Failed to convert version: {match['version']} to numeric.")
        model_spec.version.value = int(match["version"])
    if match["label"]:
        model_spec.version_label = unquote(match["label"])
    return model_spec
