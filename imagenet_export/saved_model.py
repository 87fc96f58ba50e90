"""Writes a graph without variables as a SavedModel of one file.

The file is assembled here because `tf.saved_model.save` wraps the graph in functions whose output is always called
`StatefulPartitionedCall`, while here the output's name carries information (imagenet_export/signature.py). TensorFlow
Serving's session also optimizes a flat graph best.
"""

from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from imagenet_export.signature import CLASSES, IMAGE_BYTES, SCORES, SIGNATURE

SCHEMA_VERSION: Final = 1  # tensorflow.saved_model.SAVED_MODEL_SCHEMA_VERSION
FILE: Final = "saved_model.pb"


def freeze(serve: Any, scores_node: str) -> SavedModel:
    """Make a `tf.function` string [N] → {"scores": float32 [N, 1001]} the signature `serving_default` of a SavedModel.

    Variables become constants. The output's tensor is `<scores_node>:0`, the input's `image_bytes:0`.
    """
    frozen = convert_variables_to_constants_v2(serve.get_concrete_function(), lower_control_flow=False)
    graph = tf.Graph()
    with graph.as_default():
        image_bytes = tf.compat.v1.placeholder(tf.string, [None], name=IMAGE_BYTES)
        (scores,) = tf.graph_util.import_graph_def(
            frozen.graph.as_graph_def(),
            input_map={frozen.inputs[0].name: image_bytes},
            return_elements=[frozen.outputs[0].name],
            name="network",
        )
        scores = tf.identity(tf.ensure_shape(scores, [None, CLASSES]), name=scores_node)
        return _saved_model(graph, image_bytes, scores)


def write(model: SavedModel, version: Path) -> None:
    (version / FILE).write_bytes(model.SerializeToString(deterministic=True))


def read(version: Path) -> SavedModel:
    model = SavedModel()
    model.ParseFromString((version / FILE).read_bytes())
    return model


def _saved_model(graph: tf.Graph, image_bytes: tf.Tensor, scores: tf.Tensor) -> SavedModel:
    model = SavedModel(saved_model_schema_version=SCHEMA_VERSION)
    # Attributes with default values are omitted, so that older releases, which may not know them, can load the graph.
    meta_graph = tf.compat.v1.train.export_meta_graph(graph=graph, strip_default_attrs=True)
    meta_graph.meta_info_def.tags.append(tf.saved_model.SERVING)
    signature = meta_graph.signature_def[SIGNATURE]
    signature.method_name = tf.saved_model.PREDICT_METHOD_NAME
    for tensor, info in ((image_bytes, signature.inputs[IMAGE_BYTES]), (scores, signature.outputs[SCORES])):
        info.name = tensor.name
        info.dtype = tensor.dtype.as_datatype_enum
        info.tensor_shape.CopyFrom(tensor.shape.as_proto())
    model.meta_graphs.append(meta_graph)
    return model
