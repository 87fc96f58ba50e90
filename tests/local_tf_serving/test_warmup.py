import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from local_tf_serving import warmup
from local_tf_serving.errors import DataLoss, InvalidArgument, Unimplemented
from local_tf_serving.predictor import Predictor
from tests.local_tf_serving.model_server import request
from tests.local_tf_serving.saved_models import add_warmup


def doubling_signature() -> SignatureDef:
    definition = SignatureDef()
    definition.inputs["x"].dtype = tf.float32.as_datatype_enum
    definition.outputs["doubled"].dtype = tf.float32.as_datatype_enum
    return definition


@dataclass(slots=True)
class DoublingServable:
    """Doubles its input and records it."""

    signature_defs: dict[str, Any] = field(default_factory=lambda: {"serving_default": doubling_signature()})
    inputs: list[list[float]] = field(default_factory=list)

    def run(self, _: str, inputs: Any, outputs: Sequence[str], timeout: timedelta | None) -> list[Any]:
        assert (list(outputs), timeout) == (["doubled"], None)
        self.inputs.append(inputs["x"].tolist())
        return [inputs["x"] * np.float32(2)]

    def close(self) -> None: ...


def write(directory: Path, content: bytes) -> None:
    path = directory / warmup.WARMUP_FILE
    path.parent.mkdir()
    path.write_bytes(content)


def test_all_records_run_in_order(tmp_path: Path) -> None:
    servable = DoublingServable()
    add_warmup(tmp_path, request(x=[1.0]), request(x=[2.0, 3.0]))
    assert warmup.replay(tmp_path, Predictor(servable)) == 2
    assert servable.inputs == [[1], [2, 3]]


def test_a_version_without_a_warm_up_file_runs_no_records(tmp_path: Path) -> None:
    assert warmup.replay(tmp_path, Predictor(DoublingServable())) == 0


def test_a_failing_record_fails_the_warm_up(tmp_path: Path) -> None:
    add_warmup(tmp_path, request(x=[1.0]), request(other=[1.0]))
    with pytest.raises(InvalidArgument, match="Signature input alias: x"):
        warmup.replay(tmp_path, Predictor(DoublingServable()))


def test_more_than_a_thousand_records_are_an_invalid_argument(tmp_path: Path) -> None:
    add_warmup(tmp_path, *[request(x=[1.0])] * 1000)
    assert warmup.replay(tmp_path, Predictor(DoublingServable())) == 1000
    (tmp_path / warmup.WARMUP_FILE).unlink()
    (tmp_path / warmup.WARMUP_FILE.parent).rmdir()
    add_warmup(tmp_path, *[request(x=[1.0])] * 1001)
    with pytest.raises(InvalidArgument, match=r"exceeds the maximum \(1000\)"):
        warmup.replay(tmp_path, Predictor(DoublingServable()))


def test_a_log_of_another_type_is_unimplemented(tmp_path: Path) -> None:
    log = PredictionLog()
    log.classify_log.request.model_spec.name = "m"
    (tmp_path / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / warmup.WARMUP_FILE)) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(Unimplemented, match="classify_log"):
        warmup.replay(tmp_path, Predictor(DoublingServable()))


def test_a_file_that_is_not_a_tfrecord_is_data_loss(tmp_path: Path) -> None:
    write(tmp_path, b"this is a text file, not a TFRecord")
    with pytest.raises(DataLoss, match="TFRecord"):
        warmup.replay(tmp_path, Predictor(DoublingServable()))


@pytest.mark.parametrize("missing", [1, 4, 5, 20])
def test_a_truncated_file_is_data_loss(tmp_path: Path, missing: int) -> None:
    add_warmup(tmp_path, request(x=[1.0]))
    path = tmp_path / warmup.WARMUP_FILE
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(DataLoss, match="truncated"):
        warmup.replay(tmp_path, Predictor(DoublingServable()))


def test_a_record_that_is_not_a_prediction_log_is_an_invalid_argument(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / warmup.WARMUP_FILE)) as writer:
        writer.write(struct.pack("<Q", 2**63))
    with pytest.raises(InvalidArgument, match="Failed to parse"):
        warmup.replay(tmp_path, Predictor(DoublingServable()))
