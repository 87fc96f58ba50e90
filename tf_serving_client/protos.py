"""TensorFlow Serving's protobuf modules and stubs, without TensorFlow.

`tensorflow_serving.apis` imports message types from `tensorflow.core`, and importing anything below `tensorflow` first
runs `tensorflow/__init__.py`: the whole runtime. While the stubs are imported, an empty module stands in for that
package; its `__path__` is the wheel's folder, so the message modules are found and nothing else is run. Where the
runtime is loaded already (the model server, some tests), it is used as it is.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType


@contextmanager
def _without_the_runtime() -> Iterator[None]:
    if "tensorflow" in sys.modules:
        yield
        return
    found = PathFinder.find_spec("tensorflow")
    if found is None or found.submodule_search_locations is None:
        raise ImportError("TensorFlow's protobuf modules are not installed: see requirements/models.in")
    stand_in = ModuleType("tensorflow")
    stand_in.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = stand_in
    try:
        yield
    finally:
        del sys.modules["tensorflow"]  # so that a later `import tensorflow` gets the real one


with _without_the_runtime():
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.core.framework.types_pb2 import DT_FLOAT, DT_STRING
    from tensorflow_serving.apis.get_model_metadata_pb2 import (
        GetModelMetadataRequest,
        GetModelMetadataResponse,
        SignatureDefMap,
    )
    from tensorflow_serving.apis.get_model_status_pb2 import (
        GetModelStatusRequest,
        GetModelStatusResponse,
        ModelVersionStatus,
    )
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

__all__ = [
    "DT_FLOAT",
    "DT_STRING",
    "GetModelMetadataRequest",
    "GetModelMetadataResponse",
    "GetModelStatusRequest",
    "GetModelStatusResponse",
    "ModelServiceStub",
    "ModelVersionStatus",
    "PredictRequest",
    "PredictResponse",
    "PredictionServiceStub",
    "SignatureDefMap",
    "TensorProto",
]
