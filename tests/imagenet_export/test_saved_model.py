"""What a server finds in a version's folder."""

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from imagenet_export import saved_model
from tests.imagenet_export import images
from tests.imagenet_export.networks import Exported

pytestmark = pytest.mark.timeout(300)  # the first test to ask for a model may have to export it


def shape(info: Any) -> list[int]:
    return [dimension.size for dimension in info.tensor_shape.dim]


def test_one_signature_takes_encoded_images_and_gives_1001_scores(exported: Exported) -> None:
    assert list(exported.served.signatures) == ["serving_default"]
    signature = exported.served.signatures["serving_default"]
    assert (list(signature.inputs), list(signature.outputs)) == (["image_bytes"], ["scores"])
    image_bytes, scores = signature.inputs["image_bytes"], signature.outputs["scores"]
    assert (image_bytes.dtype, shape(image_bytes)) == (tf.string.as_datatype_enum, [-1])
    assert (scores.dtype, shape(scores)) == (tf.float32.as_datatype_enum, [-1, 1001])
    assert signature.method_name == "tensorflow/serving/predict"


def test_the_tensors_carry_the_names_of_the_signature(exported: Exported) -> None:
    signature = exported.served.signatures["serving_default"]
    assert signature.inputs["image_bytes"].name == "image_bytes:0"
    assert signature.outputs["scores"].name == "scores:0"


def test_nothing_is_left_to_restore_or_to_normalise(exported: Exported) -> None:
    (meta_graph,) = saved_model.read(exported.version).meta_graphs
    functions = [node.op for function in meta_graph.graph_def.library.function for node in function.node_def]
    operations = {node.op for node in meta_graph.graph_def.node} | set(functions)
    assert not {operation for operation in operations if "Variable" in operation or "BatchNorm" in operation}
    assert {"Conv2D", "DecodeJpeg", "ScaleAndTranslate"} <= operations
    assert not (exported.version / "variables").exists()


def test_attributes_at_their_defaults_are_left_out_for_older_servers(exported: Exported) -> None:
    (meta_graph,) = saved_model.read(exported.version).meta_graphs
    convolutions = [node for node in meta_graph.graph_def.node if node.op == "Conv2D"]
    assert convolutions
    assert not [node.name for node in convolutions if "use_cudnn_on_gpu" in node.attr]
    assert meta_graph.meta_info_def.stripped_default_attrs


def test_the_current_loader_reads_it_too(exported: Exported) -> None:
    loaded = tf.saved_model.load(str(exported.version))
    cat = images.CAT.read_bytes()
    scores = loaded.signatures["serving_default"](tf.constant([cat]))["scores"].numpy()
    np.testing.assert_allclose(scores, exported.served.predict([cat]), rtol=1e-3, atol=1e-6)


def test_warmup_requests_are_predictions_of_one_image_and_of_eight_that_succeed(exported: Exported) -> None:
    records = tf.data.TFRecordDataset(str(exported.version / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [PredictionLog.FromString(log.numpy()).predict_log.request for log in records]
    batches = [list(tf.make_ndarray(request.inputs["image_bytes"])) for request in requests]
    assert [len(batch) for batch in batches] == [1, 8]
    for request, batch in zip(requests, batches, strict=True):
        assert request.model_spec.name == exported.architecture.name
        assert request.model_spec.signature_name == "serving_default"
        assert exported.served.predict(batch).shape == (len(batch), 1001)


def test_the_record_says_what_the_version_is_made_of(exported: Exported) -> None:
    record = json.loads((exported.version / "assets.extra" / "export.json").read_text())
    assert record["model"] == exported.architecture.name
    assert record["architecture"] == exported.architecture.constructor
    assert record["input_size"] == exported.architecture.input_size
    assert (record["weights"], record["weights_source"]) == ("imagenet", "directory")
    assert record["tensorflow"] == tf.__version__
    assert len(record["fingerprint"]) == 64
    assert record["created_at"].endswith("Z")
