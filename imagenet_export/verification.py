"""A written version is asked once before it is published: it must answer as the network it was made from does."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from imagenet_export import openvino_ir, saved_model, serving_graph, warmup
from imagenet_export.architecture import Architecture
from imagenet_export.errors import ExportUnsound
from imagenet_export.record import Precision
from imagenet_export.signature import IMAGE_BYTES, SCORES, SIGNATURE

_TOLERANCE: Mapping[Precision, float] = {"float32": 1e-3, "bfloat16": 0.25}
"""Of a score. Folding and freezing change the order of float32 operations, which moves scores by 1e-6 or so. The 8 bits
of bfloat16 move them by up to 0.04, and by 0.2 where the weights were drawn at random.
"""

Scores = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def check(architecture: Architecture, version: Path, network: keras.Model, precision: Precision = "float32") -> None:
    """Compare the SavedModel in `version`, and its IR, with `network`, not yet fused."""
    images = [warmup.image()] * 2
    pixels = serving_graph.pixels(architecture.input_size, tf.constant(images))
    seen = serving_graph.preprocess(architecture)(pixels)
    expected = serving_graph.with_background(network(seen, training=False)).numpy()
    if not np.isfinite(expected).all():
        raise ExportUnsound(f"{architecture.name}: its weights are broken: scores are not numbers")
    for scores, tolerance in (
        (predict(version, images), _TOLERANCE[precision]),
        (openvino_ir.predict(version, pixels.numpy()), _TOLERANCE["float32"]),
    ):
        difference = float(np.abs(scores - expected).max())
        if not difference <= tolerance:
            raise ExportUnsound(
                f"{architecture.name}: the exported scores differ from the network's by {difference:.2g}"
            )


def predict(version: Path, images: list[bytes]) -> Scores:
    """Scores, float32 [N, 1001], of the SavedModel in `version`: read from its file and run in a session."""
    (meta_graph,) = saved_model.read(version).meta_graphs
    signature = meta_graph.signature_def[SIGNATURE]
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(meta_graph.graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            scores: Scores = session.run(signature.outputs[SCORES].name, {signature.inputs[IMAGE_BYTES].name: images})
            return scores
