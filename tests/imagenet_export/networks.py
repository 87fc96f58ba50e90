"""Networks with weights that make tests mean something, exported the way people do it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from imagenet_export import network, untrained
from imagenet_export.architecture import Architecture
from imagenet_export.command import main
from imagenet_export.fingerprint import fingerprint
from imagenet_export.weights import WEIGHTS_DIR
from tests.imagenet_export.images import REPOSITORY

Scores = np.ndarray[Any, np.dtype[np.float32]]
Predict = Callable[[list[bytes]], Scores]


@dataclass(frozen=True)
class Served:
    """A SavedModel in a session, as TensorFlow Serving has it."""

    signatures: Any
    """Name → SignatureDef."""
    predict: Predict
    """`serving_default`: encoded images → scores, float32 [N, 1001]."""


@dataclass(frozen=True)
class Exported:
    """An exported model next to the network it was made from."""

    architecture: Architecture
    network: keras.Model
    """As Keras builds it, neither fused nor frozen, with the weights that were exported."""
    version: Path
    served: Served


def kept_folder(architecture: Architecture, kind: str) -> Path:
    """A folder in `var/test-models` that outlives the run, until the exporter, TensorFlow or Keras changes."""
    prefix = f"{architecture.name}-{kind}-"
    folder = REPOSITORY / "var" / "test-models" / (prefix + fingerprint(architecture, kind)[:16])
    for former in set(folder.parent.glob(f"{prefix}*")) - {folder}:
        shutil.rmtree(former)
    return folder


def lively_network(architecture: Architecture, weights: Path) -> keras.Model:
    """A network whose batch normalisations do something and whose scores differ from image to image.

    Its weights are kept in the directory `weights`, under the name an export looks for.
    """
    lively = network.constructor(architecture)(weights=None)
    file = weights / architecture.weights_file
    if file.exists():
        lively.load_weights(file)
        return lively
    disturb_normalisations(lively)
    untrained.initialise(lively)
    weights.mkdir(parents=True, exist_ok=True)
    unfinished = weights / f"unfinished.{architecture.weights_file}"
    lively.save_weights(unfinished)
    unfinished.rename(file)
    return lively


def disturb_normalisations(model: keras.Model) -> None:
    """Give every batch normalisation a scale, shift, mean and variance of its own per channel."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([_drawn(random, weight) for weight in layer.weights])


def _drawn(random: np.random.Generator, weight: keras.Variable) -> Any:
    if weight.name in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, weight.shape)
    return random.normal(0.0, 0.2, weight.shape)


def export(architecture: Architecture, models: Path, *options: str, weights: Path) -> int:
    """Run the command in this process, with weights from a directory. Returns its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WEIGHTS_DIR, str(weights))
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")  # set here, these are not left behind by the command
        patch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
        patch.setenv("KERAS_BACKEND", "tensorflow")
        return main(architecture, ["--models-dir", str(models), *options])


@contextmanager
def served(version: Path) -> Iterator[Served]:
    tf.get_logger().setLevel("ERROR")  # it would recommend a newer loader; TensorFlow Serving uses sessions
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():  # not while it is used: it would be every test's default
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
    signature = meta_graph.signature_def["serving_default"]
    fed, fetched = signature.inputs["image_bytes"].name, signature.outputs["scores"].name
    yield Served(meta_graph.signature_def, lambda images: session.run(fetched, {fed: images}))
    session.close()
