"""Loads versions that have an OpenVINO IR with OpenVINO, and all others with TensorFlow."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import service_log
from local_tf_serving.engine import Engine, Servable
from local_tf_serving.openvino_engine import IR_PATH, OpenVINOEngine


class AutomaticEngine:
    """Imports TensorFlow when the first version needs it, which takes seconds and about 300 MB."""

    def __init__(self, openvino: OpenVINOEngine, create_tensorflow: Callable[[], Engine]) -> None:
        self._openvino = openvino
        self._create_tensorflow = create_tensorflow

    @cached_property
    def _tensorflow(self) -> Engine:
        return self._create_tensorflow()

    def load(self, directory: Path) -> Servable:
        if (directory / IR_PATH).is_file():
            return self._openvino.load(directory)
        service_log.get_logger().info(
            "engine selected", engine="tensorflow", reason=f"there is no {IR_PATH}", path=str(directory)
        )
        return self._tensorflow.load(directory)
