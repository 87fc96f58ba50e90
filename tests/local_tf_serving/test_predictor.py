"""The calls of a predictor to an engine. test_predict covers the rest."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from local_tf_serving.errors import DeadlineExceeded, InvalidArgument, Unimplemented
from local_tf_serving.predictor import Predictor
from tests.local_tf_serving.model_server import request


class RecordingServable:
    """Records its calls and returns `result` for every output."""

    def __init__(self, result: Any) -> None:
        definition = SignatureDef()
        definition.inputs["x"].dtype = tf.float32.as_datatype_enum
        for alias in ("a", "b"):
            definition.outputs[alias].dtype = tf.float32.as_datatype_enum
        self.signature_defs = {"serving_default": definition}
        self.result = result
        self.calls: list[tuple[str, Any, list[str], timedelta | None]] = []

    def run(self, signature_name: str, inputs: Any, outputs: Sequence[str], timeout: timedelta | None) -> list[Any]:
        self.calls.append((signature_name, inputs["x"].tolist(), list(outputs), timeout))
        return [self.result for _ in outputs]

    def close(self) -> None: ...


def test_the_engine_computes_the_outputs_of_the_filter_in_its_order() -> None:
    servable = RecordingServable(np.zeros(1, np.float32))
    message = request(x=[1.0])
    Predictor(servable).predict(message, None)
    message.output_filter.extend(["b", "a"])
    Predictor(servable).predict(message, timedelta(seconds=2.5))
    assert servable.calls == [
        ("serving_default", [1], ["a", "b"], None),
        ("serving_default", [1], ["b", "a"], timedelta(seconds=2.5)),
    ]


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_request_whose_deadline_has_passed_is_not_run(seconds: float) -> None:
    servable = RecordingServable(np.zeros(1, np.float32))
    with pytest.raises(DeadlineExceeded):
        Predictor(servable).predict(request(x=[1.0]), timedelta(seconds=seconds))
    assert servable.calls == []


def test_a_wrong_dtype_never_reaches_the_engine() -> None:
    servable = RecordingServable(np.zeros(1, np.float32))
    with pytest.raises(InvalidArgument, match=r"Expects arg\[0\] to be float but string is provided"):
        Predictor(servable).predict(request(x=[b"1"]), None)
    assert servable.calls == []


def test_an_output_of_an_unsupported_dtype_is_unimplemented() -> None:
    with pytest.raises(Unimplemented, match="output a "):
        Predictor(RecordingServable(np.array(["text"]))).predict(request(x=[1.0]), None)
