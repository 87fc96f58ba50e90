"""Turns an ONNX file into an IR that starts at pixels. OpenVINO reads it; there is no SavedModel.

So `local_tf_serving` serves it, which decodes and resizes with Pillow. TensorFlow Serving can't.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from model_export import scaling
from model_export.errors import SourceUnreadable, SourceUnsupported, first_line
from model_export.recipe import Location, Recipe
from model_export.signature import IMAGE_BYTES, SCORES, SIGNATURE, TRAINED_SCORES_NODE
from model_export.source import Source, with_size

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # without it, importing openvino reports to Google Analytics
import openvino  # noqa: E402 (after the line above)
import openvino.opset13 as ops  # noqa: E402 (likewise)
from openvino.preprocess import ColorFormat, PrePostProcessor  # noqa: E402 (likewise)


def load(recipe: Recipe, location: Location) -> tuple[Source, Recipe]:
    """The file as OpenVINO runs it, unchanged, and the recipe with its size.

    Raises SourceUnreadable, SourceUnsupported.
    """
    model = _read(recipe, location)
    size = _size(recipe, model)
    sized = with_size(recipe, Source(_not_a_graph, _not_a_graph, _not_a_graph, size))
    compiled = None

    def reference(inputs: tf.Tensor) -> tf.Tensor:
        nonlocal compiled
        if compiled is None:
            precision = {openvino.properties.hint.inference_precision: openvino.Type.f32}
            compiled = openvino.Core().compile_model(_with_one_image(sized, model), "CPU", precision)
        return tf.constant(np.asarray(compiled(inputs.numpy())[0], np.float32))

    return Source(reference, _not_a_graph, _not_a_graph, size, is_single=True), sized


def convert(recipe: Recipe, location: Location) -> openvino.Model:
    """`pixels` float32 [1, size, size, 3] in 0…255 → `scores` float32 [1, L]."""
    model = _with_one_image(recipe, _read(recipe, location))
    if recipe.scores == "logits":
        logits = model.output(0).get_node().input_value(0)
        model = openvino.Model([ops.result(ops.softmax(logits, axis=-1))], model.get_parameters(), recipe.name)
    steps = PrePostProcessor(model)
    pixels = steps.input().tensor().set_element_type(openvino.Type.f32).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout(recipe.layout.upper()))
    if recipe.scale == "caffe":
        pixels.set_color_format(ColorFormat.RGB)
        steps.input().preprocess().convert_color(ColorFormat.BGR)
    mean, divisor = scaling.factors(recipe.scale)
    steps.input().preprocess().mean(mean).scale(divisor)
    steps.output().tensor().set_element_type(openvino.Type.f32)
    prepared = steps.build()
    prepared.input().get_tensor().set_names({"pixels"})
    prepared.output().get_tensor().set_names({SCORES})
    return prepared


def signatures(columns: int) -> MetaGraphDef:
    """The signature that a SavedModel would have."""
    meta_graph = MetaGraphDef()
    definition = meta_graph.signature_def[SIGNATURE]
    definition.method_name = tf.saved_model.PREDICT_METHOD_NAME
    for info, name, dtype, shape in (
        (definition.inputs[IMAGE_BYTES], IMAGE_BYTES, tf.string, [None]),
        (definition.outputs[SCORES], TRAINED_SCORES_NODE, tf.float32, [None, columns]),
    ):
        info.name = f"{name}:0"
        info.dtype = dtype.as_datatype_enum
        info.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return meta_graph


def _read(recipe: Recipe, location: Location) -> openvino.Model:
    """With one input and one output."""
    path = location.source
    try:
        model = openvino.Core().read_model(path)
    except Exception as error:  # OpenVINO raises many types, for damage and for unknown operations
        raise SourceUnreadable(
            f"OpenVINO can't read {path} ({_reason(error)}); export it with another opset"
        ) from error
    if len(model.inputs) != 1:
        raise SourceUnsupported(f"{path} has {len(model.inputs)} inputs; a model to serve takes one tensor")
    return _with_one_output(path, recipe, model)


def _with_one_output(path: Path | None, recipe: Recipe, model: openvino.Model) -> openvino.Model:
    by_name = {name: output for output in model.outputs for name in output.get_names()}
    if recipe.output is None and len(model.outputs) == 1:
        return model
    if recipe.output not in by_name:
        raise SourceUnsupported(f"{path} has the outputs {', '.join(sorted(by_name))}; choose the scores with --output")
    chosen = by_name[recipe.output].get_node().input_value(0)
    return openvino.Model([ops.result(chosen)], model.get_parameters(), recipe.name)


def _with_one_image(recipe: Recipe, model: openvino.Model) -> openvino.Model:
    size = recipe.pixels_size
    model.reshape([1, 3, size, size] if recipe.layout == "nchw" else [1, size, size, 3])
    return model


def _size(recipe: Recipe, model: openvino.Model) -> int | None:
    """Raises SourceUnsupported if the input is no image of the layout."""
    shape = model.input().partial_shape
    if shape.rank.is_dynamic or len(shape) != 4:
        raise SourceUnsupported(f"{recipe.source} takes {shape}; it must take images, [N, 3, height, width]")
    channels, height, width = (1, 2, 3) if recipe.layout == "nchw" else (3, 1, 2)
    sides = [shape[height], shape[width]]
    if shape[channels].is_static and shape[channels].get_length() != 3:
        other = "nhwc" if recipe.layout == "nchw" else "nchw"
        raise SourceUnsupported(
            f"{recipe.source} takes {shape}, which is not the layout {recipe.layout}; pass --layout {other}, and note "
            "that only images of three channels are supported"
        )
    if any(side.is_dynamic for side in sides):
        return None
    if sides[0] != sides[1]:
        raise SourceUnsupported(f"{recipe.source} takes {shape}; only square inputs are supported")
    return int(sides[0].get_length())


def _not_a_graph(inputs: tf.Tensor) -> tf.Tensor:
    raise NotImplementedError("an ONNX file has no TensorFlow graph")


def _reason(error: Exception) -> str:
    """OpenVINO's first line only says where in its sources an exception was thrown."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(("Exception", "Check"))]
    return lines[0].strip() if lines else first_line(error)
