"""Writes the network as OpenVINO IR, for an engine without TensorFlow, into `assets.extra/openvino/` of the version.

TensorFlow Serving ignores unknown files in assets.extra. There are three files:

    model.xml, model.bin    `pixels` float32 [N, size, size, 3] in 0…255 → `scores` float32 [N, L]
    signatures.pb           a MetaGraphDef that holds the SavedModel's signatures and nothing else

The engine decodes and resizes as described in model_export/serving_graph.py; `rt_info` in the IR names a way to resize
other than `stretch`. Scaling, layout and softmax are part of the graph. Weights are float32, as in the SavedModel:
float16 would save 7 and 48 MB on disk, but move MobileNetV2's scores by up to 0.007, which is most of the tolerated
difference between two engines.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from model_export import serving_graph
from model_export.errors import IrUnsupported, first_line
from model_export.recipe import Recipe
from model_export.signature import SCORES
from model_export.source import Source

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # without it, importing openvino reports to Google Analytics
import openvino  # noqa: E402 (after the line above)
from openvino import convert_model  # noqa: E402 (likewise; its absence is no unsupported operation)

FOLDER: Final = Path("assets.extra") / "openvino"
RESIZE_INFO: Final = ["model_export", "resize"]
"""Where `rt_info` says how to resize. local_tf_serving/openvino_engine.py reads it."""

Scores = np.ndarray[Any, np.dtype[np.float32]]


def convert(recipe: Recipe, source: Source, classes: int) -> openvino.Model:
    """The IR of a source of images. Raises IrUnsupported."""
    size = recipe.pixels_size

    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = serving_graph.prepare(recipe, pixels)
        return {SCORES: serving_graph.scores(recipe, source.ir_call, inputs, classes)}

    batch = 1 if source.is_single else None
    spec = tf.TensorSpec([batch, size, size, 3], tf.float32, name="pixels")
    function = tf.function(serve, input_signature=[spec], autograph=False).get_concrete_function()
    try:
        model = convert_model(function)
    except Exception as error:  # OpenVINO and TensorFlow raise many types for an unsupported operation
        raise IrUnsupported(first_line(error)) from error
    model.outputs[0].get_tensor().set_names({SCORES})
    return model


def write(recipe: Recipe, model: openvino.Model, signatures: MetaGraphDef, version: Path) -> None:
    """Add the three files to `version`."""
    if recipe.resize != "stretch":
        model.set_rt_info(recipe.resize, RESIZE_INFO)
    folder = version / FOLDER
    folder.mkdir(parents=True)
    try:
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    except RuntimeError as error:  # OpenVINO's only error for a failed write; in a new folder, the disk is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
    (folder / "signatures.pb").write_bytes(signatures.SerializeToString(deterministic=True))


def exists(version: Path) -> bool:
    return (version / FOLDER / "model.xml").is_file()


def predict(version: Path, pixels: Scores) -> Scores:
    """Scores, float32 [N, L], of float32 pixels [N, size, size, 3] in 0…255, in float32 on every processor."""
    precision = {openvino.properties.hint.inference_precision: openvino.Type.f32}
    compiled = openvino.Core().compile_model(version / FOLDER / "model.xml", "CPU", precision)
    is_single = compiled.input(0).partial_shape[0] == 1
    scores: Scores = np.concatenate([compiled(one[None])[0] for one in pixels]) if is_single else compiled(pixels)[0]
    return scores
