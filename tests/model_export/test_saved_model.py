"""The files of a version."""

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from model_export import saved_model
from tests.model_export import images
from tests.model_export.networks import ExportedModel

pytestmark = pytest.mark.timeout(300)  # the first test that uses a model may have to export it


def shape(info: Any) -> list[int]:
    return [dimension.size for dimension in info.tensor_shape.dim]


def test_the_only_signature_takes_encoded_images_and_returns_1001_scores(model: ExportedModel) -> None:
    assert list(model.signatures) == ["serving_default"]
    signature = model.signatures["serving_default"]
    assert (list(signature.inputs), list(signature.outputs)) == (["image_bytes"], ["scores"])
    image_bytes, scores = signature.inputs["image_bytes"], signature.outputs["scores"]
    assert (image_bytes.dtype, shape(image_bytes)) == (tf.string.as_datatype_enum, [-1])
    assert (scores.dtype, shape(scores)) == (tf.float32.as_datatype_enum, [-1, 1001])
    assert signature.method_name == "tensorflow/serving/predict"


def test_the_tensors_are_named_after_the_inputs_and_outputs_of_the_signature(model: ExportedModel) -> None:
    signature = model.signatures["serving_default"]
    assert signature.inputs["image_bytes"].name == "image_bytes:0"
    assert signature.outputs["scores"].name == "scores:0"


def test_the_graph_has_no_variables_and_no_batch_normalization(model: ExportedModel) -> None:
    (meta_graph,) = saved_model.read(model.version).meta_graphs
    functions = [node.op for function in meta_graph.graph_def.library.function for node in function.node_def]
    operations = {node.op for node in meta_graph.graph_def.node} | set(functions)
    assert not {operation for operation in operations if "Variable" in operation or "BatchNorm" in operation}
    assert {"Conv2D", "DecodeJpeg", "ScaleAndTranslate"} <= operations
    assert not (model.version / "variables").exists()


def test_attributes_with_default_values_are_omitted_for_older_servers(model: ExportedModel) -> None:
    (meta_graph,) = saved_model.read(model.version).meta_graphs
    convolutions = [node for node in meta_graph.graph_def.node if node.op == "Conv2D"]
    assert convolutions
    assert not [node.name for node in convolutions if "use_cudnn_on_gpu" in node.attr]
    assert meta_graph.meta_info_def.stripped_default_attrs


def test_the_loader_of_tensorflow_2_reads_the_saved_model(model: ExportedModel) -> None:
    loaded = tf.saved_model.load(str(model.version))
    cat = images.CAT.read_bytes()
    scores = loaded.signatures["serving_default"](tf.constant([cat]))["scores"].numpy()
    np.testing.assert_allclose(scores, model.predict([cat]), rtol=1e-3, atol=1e-6)


def test_the_warmup_requests_with_one_image_and_with_eight_succeed(model: ExportedModel) -> None:
    records = tf.data.TFRecordDataset(str(model.version / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [PredictionLog.FromString(log.numpy()).predict_log.request for log in records]
    batches = [list(tf.make_ndarray(request.inputs["image_bytes"])) for request in requests]
    assert [len(batch) for batch in batches] == [1, 8]
    for request, batch in zip(requests, batches, strict=True):
        assert request.model_spec.name == model.recipe.name
        assert request.model_spec.signature_name == "serving_default"
        assert model.predict(batch).shape == (len(batch), 1001)


def test_the_record_describes_the_version(model: ExportedModel) -> None:
    record = json.loads((model.version / "assets.extra" / "export.json").read_text())
    assert record["model"] == model.recipe.name
    assert record["architecture"] == model.recipe.source
    assert record["input_size"] == model.recipe.size
    assert (record["weights"], record["weights_source"]) == ("imagenet", "directory")
    assert record["tensorflow"] == tf.__version__
    assert len(record["fingerprint"]) == 64
    assert record["created_at"].endswith("Z")
