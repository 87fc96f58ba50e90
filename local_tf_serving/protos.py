"""Imports TensorFlow's protobuf modules for engines that do not use TensorFlow itself."""

from importlib import import_module
from typing import Final

from tensorflow_protos import stub_tensorflow

MODULES: Final = (
    "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow_serving.apis.get_model_metadata_pb2",
    "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow_serving.apis.predict_pb2",
    "tensorflow_serving.apis.prediction_log_pb2",
)
"""These and their own imports are all that this package uses."""


def import_without_tensorflow() -> None:
    """Import MODULES before any other import of `tensorflow`; later imports find them loaded."""
    with stub_tensorflow():
        for module in MODULES:
            import_module(module)
