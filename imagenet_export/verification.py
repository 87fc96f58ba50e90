"""Verifies a written version before it is published: its scores must equal those of the network it was made from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from imagenet_export import openvino_ir, saved_model, serving_graph, warmup
from imagenet_export.architecture import Architecture
from imagenet_export.errors import VerificationFailed
from imagenet_export.record import Precision
from imagenet_export.signature import IMAGE_BYTES, SCORES, SIGNATURE

TOLERANCES: Final[Mapping[Precision, float]] = {"float32": 1e-3, "bfloat16": 0.25}
"""The largest allowed difference of a score. Folding and freezing change the order of float32 operations, which changes
scores by about 1e-6. bfloat16, with 8 bits, changes them by up to 0.04, and by up to 0.2 with random weights.
"""

Scores = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def verify(architecture: Architecture, version: Path, network: keras.Model, precision: Precision = "float32") -> None:
    """Compare the SavedModel and the IR in `version` with `network`, which is not fused. Raises VerificationFailed."""
    images = [warmup.example_image()] * 2
    pixels = serving_graph.pixels(architecture.input_size, tf.constant(images))
    network_input = serving_graph.keras_preprocessing(architecture)(pixels)
    expected = serving_graph.add_background(network(network_input, training=False)).numpy()
    if not np.isfinite(expected).all():
        raise VerificationFailed(
            f"the weights of {architecture.name} are broken: scores are not finite; replace the weights"
        )
    for scores, tolerance in (
        (predict(version, images), TOLERANCES[precision]),
        (openvino_ir.predict(version, pixels.numpy()), TOLERANCES["float32"]),
    ):
        difference = float(np.abs(scores - expected).max())
        if not difference <= tolerance:
            raise VerificationFailed(
                f"the exported scores differ from the network's by {difference:.2g}, more than {tolerance:g}; "
                "install the versions in requirements/models.txt"
            )


def predict(version: Path, images: list[bytes]) -> Scores:
    """Scores, float32 [N, 1001], of the SavedModel in `version`, which is read from its file and run in a session."""
    (meta_graph,) = saved_model.read(version).meta_graphs
    signature = meta_graph.signature_def[SIGNATURE]
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(meta_graph.graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            scores: Scores = session.run(signature.outputs[SCORES].name, {signature.inputs[IMAGE_BYTES].name: images})
            return scores
