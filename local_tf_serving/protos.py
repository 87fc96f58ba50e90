"""The protobuf modules that engines without TensorFlow need of it."""

from importlib import import_module

from tensorflow_protos import stub_tensorflow

_MODULES = (
    "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow_serving.apis.get_model_metadata_pb2",
    "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow_serving.apis.predict_pb2",
    "tensorflow_serving.apis.prediction_log_pb2",
)
"""All that this package imports, but for what these import themselves."""


def load_without_tensorflow() -> None:
    """Import them before anything else does; from then on they are there for everyone."""
    with stub_tensorflow():
        for module in _MODULES:
            import_module(module)
