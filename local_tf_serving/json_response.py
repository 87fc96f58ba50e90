"""Writes REST responses as TensorFlow Serving's JSON, but without its white space."""

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse

from local_tf_serving import json_tensor
from local_tf_serving.data_plane import METADATA_FIELD
from local_tf_serving.errors import InvalidArgument
from local_tf_serving.json_request import Layout


def prediction(outputs: Mapping[str, TensorProto], layout: Layout) -> bytes:
    """Write a single output without its name, several in objects. Raises InvalidArgument for what JSON cannot hold."""
    if layout is Layout.ROW:
        _check_rows(outputs)
    values = {name: json_tensor.write(name, outputs[name]) for name in sorted(outputs)}
    if len(values) == 1:
        (content,) = values.values()
    elif layout is Layout.ROW:
        content = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    else:
        content = values
    return _dump({layout.value: content})


def status(response: GetModelStatusResponse) -> bytes:
    return _dump(_as_dict(response))


def metadata(response: GetModelMetadataResponse) -> bytes:
    signatures = SignatureDefMap()
    response.metadata[METADATA_FIELD].Unpack(signatures)
    return _dump({"model_spec": _as_dict(response.model_spec), "metadata": {METADATA_FIELD: _as_dict(signatures)}})


def error(message: str) -> bytes:
    return _dump({"error": message})


def _check_rows(outputs: Mapping[str, TensorProto]) -> None:
    batch_size = None
    for name in sorted(outputs):
        dims = outputs[name].tensor_shape.dim
        if not dims:
            raise InvalidArgument(f"Tensor name: {name} has no shape information ")
        if batch_size is not None and dims[0].size != batch_size:
            raise InvalidArgument(
                f"Tensor name: {name} has inconsistent batch size: {dims[0].size} expecting: {batch_size}"
            )
        batch_size = dims[0].size


def _as_dict(message: Message) -> dict[str, Any]:
    """Field names are those of the .proto files, defaults are included, an int64 is a string."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _dump(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="surrogateescape")  # bytes that are not UTF-8 are sent unchanged
