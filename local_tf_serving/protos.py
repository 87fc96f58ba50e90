"""TensorFlow's protobuf modules without TensorFlow, for engines that need nothing else of it: 300 MB and 2 s less."""

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType

_MODULES = (
    "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow_serving.apis.get_model_metadata_pb2",
    "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow_serving.apis.predict_pb2",
    "tensorflow_serving.apis.prediction_log_pb2",
)
"""All that this package imports, but for what these import themselves."""


def load_without_tensorflow() -> None:
    """Import the protobuf modules, before anything else does; from then on they are there for everyone.

    Importing anything below `tensorflow` first runs `tensorflow/__init__.py`. So an empty module stands in for that
    package meanwhile; its `__path__` is the wheel's folder. A later `import tensorflow` gets the real one.
    """
    if "tensorflow" in sys.modules:
        return
    found = PathFinder.find_spec("tensorflow")
    if found is None or found.submodule_search_locations is None:
        raise ImportError("TensorFlow's protobuf modules are not installed: see requirements/models.in")
    stand_in = ModuleType("tensorflow")
    stand_in.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = stand_in
    try:
        for module in _MODULES:
            import_module(module)
    finally:
        del sys.modules["tensorflow"]
