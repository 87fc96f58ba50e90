"""Writes the network as OpenVINO IR, for an engine without TensorFlow, into `assets.extra/openvino/` of the version.

TensorFlow Serving ignores unknown files in assets.extra. There are three files:

    model.xml, model.bin    `pixels` float32 [N, size, size, 3] in 0…255 → `scores` float32 [N, 1001]
    signatures.pb           a MetaGraphDef that holds the SavedModel's signatures and nothing else

The engine decodes and resizes as described in imagenet_export/serving_graph.py. Keras's `preprocess_input` is part of
the graph. Weights are float32, as in the SavedModel: float16 would save 7 and 48 MB on disk, but move MobileNetV2's
scores by up to 0.007, which is most of the tolerated difference between two engines.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from imagenet_export import serving_graph
from imagenet_export.architecture import Architecture
from imagenet_export.signature import SCORES

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # without it, importing openvino reports to Google Analytics
import openvino  # noqa: E402 (after the line above)

FOLDER: Final = Path("assets.extra") / "openvino"

Scores = np.ndarray[Any, np.dtype[np.float32]]


def write(architecture: Architecture, fused: keras.Model, model: SavedModel, version: Path) -> None:
    """Add the three files to `version`. `fused` is the float32 network, `model` the SavedModel made from it."""
    folder = version / FOLDER
    folder.mkdir(parents=True)
    try:
        openvino.save_model(_convert(architecture, fused), folder / "model.xml", compress_to_fp16=False)
    except RuntimeError as error:  # OpenVINO's only error for a failed write; in a new folder, the disk is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
    signatures = MetaGraphDef()
    for name, definition in model.meta_graphs[0].signature_def.items():
        signatures.signature_def[name].CopyFrom(definition)
    (folder / "signatures.pb").write_bytes(signatures.SerializeToString(deterministic=True))


def predict(version: Path, pixels: Scores) -> Scores:
    """Scores, float32 [N, 1001], of float32 pixels [N, size, size, 3] in 0…255, in float32 on every processor."""
    precision = {openvino.properties.hint.inference_precision: openvino.Type.f32}
    compiled = openvino.Core().compile_model(version / FOLDER / "model.xml", "CPU", precision)
    scores: Scores = compiled(pixels)[0]
    return scores


def _convert(architecture: Architecture, fused: keras.Model) -> openvino.Model:
    size = architecture.input_size

    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        classes = fused(serving_graph.keras_preprocessing(architecture)(pixels), training=False)
        return {SCORES: serving_graph.add_background(classes)}

    signature = [tf.TensorSpec([None, size, size, 3], tf.float32, name="pixels")]
    return openvino.convert_model(tf.function(serve, input_signature=signature).get_concrete_function())
