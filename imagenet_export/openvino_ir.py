"""The network once more, for an engine without TensorFlow: OpenVINO's IR, in `assets.extra/openvino/` of the version.

TensorFlow Serving ignores what it does not know in assets.extra. There are three files:

    model.xml, model.bin    `pixels` float32 [N, size, size, 3] in 0…255 → `scores` float32 [N, 1001]
    signatures.pb           a MetaGraphDef with the SavedModel's signatures and nothing else

The engine decodes and resizes (imagenet_export/serving_graph.py says how); Keras's `preprocess_input` is in the graph.
Weights are the same float32 numbers as in the SavedModel: as float16 they would take half the disk, 7 and 48 MB less,
but move MobileNetV2's scores by up to 0.007, most of what two engines may differ by.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from imagenet_export import serving_graph
from imagenet_export.architecture import Architecture
from imagenet_export.signature import SCORES

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # else each import of openvino reports to Google Analytics
import openvino  # noqa: E402

FOLDER = Path("assets.extra") / "openvino"

Scores = np.ndarray[Any, np.dtype[np.float32]]


def write(architecture: Architecture, fused: keras.Model, model: SavedModel, version: Path) -> None:
    """Add the three files to `version`; `fused` is the float32 network, `model` what is served from it."""
    folder = version / FOLDER
    folder.mkdir(parents=True)
    try:
        openvino.save_model(_converted(architecture, fused), folder / "model.xml", compress_to_fp16=False)
    except RuntimeError as error:  # OpenVINO's word for all that can't be written: a new folder's disk is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
    signatures = MetaGraphDef()
    for name, definition in model.meta_graphs[0].signature_def.items():
        signatures.signature_def[name].CopyFrom(definition)
    (folder / "signatures.pb").write_bytes(signatures.SerializeToString(deterministic=True))


def predict(version: Path, pixels: Scores) -> Scores:
    """Scores, float32 [N, 1001], of float32 pixels [N, size, size, 3] in 0…255: computed in float32 everywhere."""
    precision = {openvino.properties.hint.inference_precision: openvino.Type.f32}
    compiled = openvino.Core().compile_model(version / FOLDER / "model.xml", "CPU", precision)
    scores: Scores = compiled(pixels)[0]
    return scores


def _converted(architecture: Architecture, fused: keras.Model) -> openvino.Model:
    size = architecture.input_size

    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        classes = fused(serving_graph.preprocess(architecture)(pixels), training=False)
        return {SCORES: serving_graph.with_background(classes)}

    signature = [tf.TensorSpec([None, size, size, 3], tf.float32, name="pixels")]
    return openvino.convert_model(tf.function(serve, input_signature=signature).get_concrete_function())
