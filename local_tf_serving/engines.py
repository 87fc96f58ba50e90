"""Creates an engine by its name. Each factory imports its engine when it is called."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import service_log
from local_tf_serving import protos
from local_tf_serving.engine import Engine, EngineOptions

if TYPE_CHECKING:
    from local_tf_serving.openvino_engine import OpenVINOEngine


def _automatic(options: EngineOptions) -> Engine:
    try:
        openvino = _openvino(options)
    except (ImportError, OSError, RuntimeError) as error:  # not installed, or it does not support this machine
        service_log.get_logger().info(
            "engine selected", engine="tensorflow", reason=f"OpenVINO is unavailable here: {error}"
        )
        return _tensorflow(options)
    from local_tf_serving.automatic_engine import AutomaticEngine

    return AutomaticEngine(openvino, lambda: _tensorflow(options))


def _openvino(options: EngineOptions) -> "OpenVINOEngine":
    protos.import_without_tensorflow()
    from local_tf_serving.openvino_engine import OpenVINOEngine

    return OpenVINOEngine(options)


def _tensorflow(options: EngineOptions) -> Engine:
    from local_tf_serving.stderr_filter import stderr_filter

    with stderr_filter():
        from local_tf_serving.tensorflow_engine import TensorFlowEngine
    return TensorFlowEngine(options)


ENGINES: Final[Mapping[str, Callable[[EngineOptions], Engine]]] = {
    "auto": _automatic,
    "openvino": _openvino,
    "tensorflow": _tensorflow,
}
"""The values of `--engine`."""
