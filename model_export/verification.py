"""Verifies a written version before it is published: its scores must equal those of the source it was made from."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from model_export import openvino_ir, saved_model, scaling, serving_graph
from model_export.errors import SourceUnsupported, VerificationFailed, first_line
from model_export.recipe import Recipe
from model_export.record import Precision
from model_export.signature import SCORES, SIGNATURE
from model_export.source import Source

TOLERANCES: Final[Mapping[Precision, float]] = {"float32": 0.005, "bfloat16": 0.25}
"""The largest allowed difference of a score. Folding and freezing change the order of float32 operations, which changes
scores by about 1e-6. bfloat16, with 8 bits, changes them by up to 0.04, and by up to 0.2 with random weights.
"""
SUM_TOLERANCE: Final = 0.02

Scores = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the source itself returns for the examples."""

    inputs: list[bytes]
    pixels: Scores | None
    """Float32 [N, size, size, 3] in 0…255; None unless the inputs are images."""
    scores: Scores
    """Float32 [N, L], as the version must return them."""
    classes: int
    """The number of columns that the source returns."""


def ask_source(recipe: Recipe, source: Source, inputs: list[bytes]) -> Expectation:
    """Raises SourceUnsupported if it can't take the examples, or what it returns are no scores."""
    pixels = serving_graph.pixels(recipe, tf.constant(inputs)).numpy() if recipe.input == "image" else None
    network_input = tf.constant(inputs) if pixels is None else _scaled(recipe, pixels)
    try:
        batches = tf.split(network_input, len(inputs)) if source.is_single else [network_input]
        outputs = np.concatenate([source.reference(batch).numpy() for batch in batches])
    except Exception as error:  # TensorFlow and Keras raise many types
        shape = f"shape {list(network_input.shape)}" if pixels is not None else recipe.input
        raise SourceUnsupported(
            f"{recipe.source} does not accept an input of {shape} ({first_line(error)}); check --size, --layout and "
            "--input, or give inputs that it accepts with --examples"
        ) from error
    _check(recipe, outputs)
    return Expectation(inputs, pixels, _finished(recipe, outputs), outputs.shape[-1])


def verify(version: Path, expectation: Expectation, precision: Precision = "float32") -> float:
    """Compare the SavedModel and the IR in `version`, and return the largest difference. Raises VerificationFailed."""
    answers = []
    if (version / saved_model.FILE).is_file():
        answers.append(("SavedModel", predict(version, expectation.inputs), TOLERANCES[precision]))
    if expectation.pixels is not None and openvino_ir.exists(version):
        answers.append(("OpenVINO IR", openvino_ir.predict(version, expectation.pixels), TOLERANCES["float32"]))
    largest = 0.0
    for written, scores, tolerance in answers:
        difference = float(np.abs(scores - expectation.scores).max())
        if not difference <= tolerance:
            raise VerificationFailed(
                f"the exported scores ({written}) differ from the network's by {difference:.2g}, more than "
                f"{tolerance:g}; install the versions in requirements/models.txt, and report it if that does not help"
            )
        largest = max(largest, difference)
    return largest


def predict(version: Path, inputs: list[bytes]) -> Scores:
    """Scores, float32 [N, L], of the SavedModel in `version`, which is loaded into a session, as servers do."""
    tf.get_logger().setLevel(logging.ERROR)  # it would recommend another loader
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(version))
        definition = meta_graph.signature_def[SIGNATURE]
        (info,) = definition.inputs.values()
        scores: Scores = session.run(definition.outputs[SCORES].name, {info.name: inputs})
        return scores


def _scaled(recipe: Recipe, pixels: Scores) -> tf.Tensor:
    scaled = scaling.expected(recipe.scale, pixels)
    return tf.constant(scaled.transpose(0, 3, 1, 2) if recipe.layout == "nchw" else scaled)


def _finished(recipe: Recipe, outputs: Scores) -> Scores:
    """Softmax and background, independently of the graph."""
    if recipe.scores == "logits":
        exponentials = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
        outputs = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.pad(outputs, [(0, 0), (1, 0)]) if recipe.background else outputs


def _check(recipe: Recipe, outputs: Scores) -> None:
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise SourceUnsupported(
            f"{recipe.source} returns a tensor of shape {['N', *outputs.shape[1:]]}; it must return one score for each "
            "of at least two classes, [N, L]"
        )
    if not np.isfinite(outputs).all():
        raise VerificationFailed(f"the weights of {recipe.name} are broken: scores are not finite; replace the weights")
    are_scores = outputs.min() >= -SUM_TOLERANCE and outputs.max() <= 1 + SUM_TOLERANCE
    if recipe.scores == "softmax" and not are_scores:
        raise SourceUnsupported(
            f"{recipe.source} returns values from {outputs.min():.3g} to {outputs.max():.3g}, which are no "
            "probabilities; pass --scores logits"
        )
    if recipe.scores == "logits" and are_scores and np.abs(outputs.sum(axis=1) - 1).max() < SUM_TOLERANCE / 10:
        raise SourceUnsupported(f"{recipe.source} already returns probabilities; pass --scores softmax")
