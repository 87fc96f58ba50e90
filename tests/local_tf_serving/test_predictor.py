"""What a predictor makes of a request, with an engine that only records; the rest is in test_predict."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from local_tf_serving.errors import DeadlineExceeded, InvalidArgument, Unimplemented
from local_tf_serving.predictor import Predictor
from tests.local_tf_serving.model_server import request


class Recording:
    """A servable whose every output is `result`."""

    def __init__(self, result: Any) -> None:
        definition = SignatureDef()
        definition.inputs["x"].dtype = tf.float32.as_datatype_enum
        for alias in ("a", "b"):
            definition.outputs[alias].dtype = tf.float32.as_datatype_enum
        self.signature_defs = {"serving_default": definition}
        self.result = result
        self.calls: list[tuple[str, Any, list[str], float | None]] = []

    def run(self, signature_name: str, inputs: Any, outputs: Sequence[str], timeout: float | None) -> list[Any]:
        self.calls.append((signature_name, inputs["x"].tolist(), list(outputs), timeout))
        return [self.result for _ in outputs]

    def close(self) -> None: ...


def test_an_engine_is_asked_by_alias_for_what_the_filter_names_in_its_order() -> None:
    servable = Recording(np.zeros(1, np.float32))
    message = request(x=[1.0])
    Predictor(servable).predict(message, None)
    message.output_filter.extend(["b", "a"])
    Predictor(servable).predict(message, 2.5)
    assert servable.calls == [("serving_default", [1], ["a", "b"], None), ("serving_default", [1], ["b", "a"], 2.5)]


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_request_whose_time_is_over_is_not_run(timeout: float) -> None:
    servable = Recording(np.zeros(1, np.float32))
    with pytest.raises(DeadlineExceeded):
        Predictor(servable).predict(request(x=[1.0]), timeout)
    assert servable.calls == []


def test_a_wrong_dtype_never_reaches_the_engine() -> None:
    servable = Recording(np.zeros(1, np.float32))
    with pytest.raises(InvalidArgument, match=r"Expects arg\[0\] to be float but string is provided"):
        Predictor(servable).predict(request(x=[b"1"]), None)
    assert servable.calls == []


def test_an_output_that_has_no_typed_form_is_unimplemented() -> None:
    with pytest.raises(Unimplemented, match="output a "):
        Predictor(Recording(np.array(["text"]))).predict(request(x=[1.0]), None)
