"""OpenVINO for a version that brings an IR along, TensorFlow for any other."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import service_log
from local_tf_serving.engine import Engine, Servable
from local_tf_serving.openvino_engine import IR, OpenVINOEngine


class AutomaticEngine:
    """TensorFlow is imported when the first version asks for it, which takes seconds and some 300 MB."""

    def __init__(self, openvino: OpenVINOEngine, make_tensorflow: Callable[[], Engine]) -> None:
        self._openvino = openvino
        self._make_tensorflow = make_tensorflow

    @cached_property
    def _tensorflow(self) -> Engine:
        return self._make_tensorflow()

    def load(self, directory: Path) -> Servable:
        if (directory / IR).is_file():
            return self._openvino.load(directory)
        service_log.get_logger().info("engine", engine="tensorflow", why=f"there is no {IR}", path=str(directory))
        return self._tensorflow.load(directory)
