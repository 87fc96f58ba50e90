"""TensorFlow's protobuf modules without TensorFlow: 10 MB and 0.1 s, not 510 MB and 3 s."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType


@contextmanager
def stub_tensorflow() -> Iterator[None]:
    """What is imported within, of `tensorflow.core` or on top of it, is imported by itself.

    Importing anything below `tensorflow` first runs `tensorflow/__init__.py`: the whole runtime. So an empty module
    stands in for that package meanwhile; its `__path__` is the wheel's folder, so the message modules are found and
    nothing else is run. They stay, and a later `import tensorflow` gets the real package. Where that is loaded already
    (the model server, some tests), it is used as it is. Raises `ImportError` where there is no such wheel.
    """
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
        del sys.modules["tensorflow"]
