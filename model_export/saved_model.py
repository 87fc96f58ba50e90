"""Writes the served graph as a SavedModel.

If all that the source keeps are variables, they become constants and the SavedModel is one file, which is assembled
here: `tf.saved_model.save` wraps the graph in functions whose output is always called `StatefulPartitionedCall`, while
here the output's name carries information (model_export/signature.py). TensorFlow Serving's session also optimizes a
flat graph best. A source with lookup tables, such as a text classifier's vocabulary, is saved by `tf.saved_model.save`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from model_export.signature import SCORES, SIGNATURE

Write = Callable[[Path], None]

SCHEMA_VERSION: Final = 1  # tensorflow.saved_model.SAVED_MODEL_SCHEMA_VERSION
FILE: Final = "saved_model.pb"


def can_freeze(serve: Any) -> bool:
    """Whether a `tf.function` captures nothing but variables and constants."""
    function = serve.get_concrete_function()
    variables = {id(variable.handle) for variable in function.graph.variables}
    return all(id(tensor) in variables or tensor.dtype != tf.resource for tensor in function.captured_inputs)


def freeze(serve: Any, input_name: str, scores_node: str, columns: int) -> SavedModel:
    """Make a `tf.function` string [N] → {"scores": float32 [N, columns]} the signature of a SavedModel.

    Variables become constants. The output's tensor is `<scores_node>:0`, the input's `<input_name>:0`.
    """
    frozen = convert_variables_to_constants_v2(serve.get_concrete_function(), lower_control_flow=False)
    graph = tf.Graph()
    with graph.as_default():
        inputs = tf.compat.v1.placeholder(tf.string, [None], name=input_name)
        (scores,) = tf.graph_util.import_graph_def(
            frozen.graph.as_graph_def(),
            input_map={
                frozen.inputs[0].name: inputs,
                **{inner.name: tf.constant(outer.numpy()) for outer, inner in frozen.graph.captures},
            },
            return_elements=[frozen.outputs[0].name],
            name="network",
        )
        scores = tf.identity(tf.ensure_shape(scores, [None, columns]), name=scores_node)
        return _saved_model(graph, input_name, inputs, scores)


def write(model: SavedModel, version: Path) -> None:
    (version / FILE).write_bytes(model.SerializeToString(deterministic=True))


def write_with_resources(serve: Any, tracked: Any, version: Path) -> None:
    """`tracked` owns the variables, tables and files, which become part of the SavedModel: hence the attribute."""
    module = tf.Module()
    module.source = tracked
    module.serve = serve
    tf.saved_model.save(module, str(version), signatures={SIGNATURE: serve.get_concrete_function()})


def read(version: Path) -> SavedModel:
    model = SavedModel()
    model.ParseFromString((version / FILE).read_bytes())
    return model


def signatures(version: Path) -> MetaGraphDef:
    """The signatures of the SavedModel in `version` and nothing else."""
    copy = MetaGraphDef()
    for name, definition in read(version).meta_graphs[0].signature_def.items():
        copy.signature_def[name].CopyFrom(definition)
    return copy


def _saved_model(graph: tf.Graph, input_name: str, inputs: tf.Tensor, scores: tf.Tensor) -> SavedModel:
    model = SavedModel(saved_model_schema_version=SCHEMA_VERSION)
    # Attributes with default values are omitted, so that older releases, which may not know them, can load the graph.
    meta_graph = tf.compat.v1.train.export_meta_graph(graph=graph, strip_default_attrs=True)
    meta_graph.meta_info_def.tags.append(tf.saved_model.SERVING)
    signature = meta_graph.signature_def[SIGNATURE]
    signature.method_name = tf.saved_model.PREDICT_METHOD_NAME
    for tensor, info in ((inputs, signature.inputs[input_name]), (scores, signature.outputs[SCORES])):
        info.name = tensor.name
        info.dtype = tensor.dtype.as_datatype_enum
        info.tensor_shape.CopyFrom(tensor.shape.as_proto())
    model.meta_graphs.append(meta_graph)
    return model
