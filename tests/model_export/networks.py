"""Networks with random weights, and exports that are cached between test runs."""

import functools
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from file_lock import file_lock
from harness.models import MODELS_DIR
from model_export import examples, network, own_keras, untrained, verification
from model_export.fingerprint import fingerprint
from model_export.publishing import ModelFolder
from model_export.recipe import Recipe
from model_export.source import Source
from model_export.verification import Expectation
from tests.model_export.sandbox import export

Scores = np.ndarray[Any, np.dtype[np.float32]]
Predict = Callable[[list[bytes]], Scores]


@dataclass(frozen=True, slots=True)
class SessionModel:
    """A SavedModel in a session, as TensorFlow Serving runs it."""

    signatures: Any
    """Name → SignatureDef."""
    predict: Predict
    """`serving_default`: encoded images → scores, float32 [N, 1001]."""


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """An exported model and the network it was made from."""

    recipe: Recipe
    network: keras.Model
    """As Keras builds it, neither fused nor frozen, with the exported weights."""
    version: Path
    signatures: Any
    predict: Predict


def cached_folder(recipe: Recipe, kind: str) -> Path:
    """A folder for exports that later test runs reuse until the exporter, TensorFlow, Keras or this file changes."""
    made_by = f"{kind} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"
    prefix = f"{recipe.name}-{kind}-"
    folder = MODELS_DIR / (prefix + fingerprint(recipe, made_by)[:16])
    for outdated in set(MODELS_DIR.glob(f"{prefix}{'?' * 16}")) - {folder}:
        shutil.rmtree(outdated, ignore_errors=True)
    return folder


def cached_export(recipe: Recipe, kind: str, *options: str, weights: Path) -> Path:
    """The folder of a version with these weights and options, exported unless it is up to date."""
    models_dir = cached_folder(recipe, kind)
    assert export(recipe, models_dir, *options, weights=weights) == 0
    newest = ModelFolder(models_dir, recipe.name).newest()
    assert newest is not None
    return newest.path


@contextmanager
def exported_model(recipe: Recipe, original: keras.Model, version: Path) -> Iterator[ExportedModel]:
    with session_model(version) as loaded:
        yield ExportedModel(recipe, original, version, loaded.signatures, loaded.predict)


def random_network(recipe: Recipe, weights: Path) -> keras.Model:
    """A network with the weights that `write_random_weights` wrote to this directory."""
    result = network.construct(recipe, weights=None)
    result.load_weights(weights / recipe.application.weights_file)
    return result


def write_random_weights(recipe: Recipe, directory: Path) -> None:
    """Write weights with which batch normalizations have an effect and scores differ between images."""
    source = network.construct(recipe, weights=None)
    randomize_normalizations(source)
    untrained.initialize(source)
    unfinished = directory / f"unfinished.{recipe.application.weights_file}"
    source.save_weights(unfinished)
    unfinished.rename(directory / recipe.application.weights_file)


def cached_random_weights(recipe: Recipe) -> Path:
    """A directory with these weights, which later test runs reuse."""
    directory = cached_folder(recipe, "random-weights")
    directory.mkdir(parents=True, exist_ok=True)
    with file_lock(directory / "lock", waiting=lambda: None):
        if not (directory / recipe.application.weights_file).exists():
            write_random_weights(recipe, directory)
    return directory


def source_of(model: keras.Model) -> Source:
    call = own_keras.call(model)
    return Source(reference=call, call=call, ir_call=call, tracked=model)


def expectation(recipe: Recipe, model: keras.Model) -> Expectation:
    """What this network returns for the photographs."""
    return verification.ask_source(recipe, source_of(model), examples.photographs())


@functools.cache
def untrained_network(recipe: Recipe) -> keras.Model:
    """Shared by all tests. It differs from `random_network` in its batch normalizations only."""
    result = network.construct(recipe, weights=None)
    untrained.initialize(result, recipe.scale)
    return result


def randomize_normalizations(model: keras.Model) -> None:
    """Give every channel of every batch normalization its own scale, shift, mean and variance."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([_random_values(random, weight) for weight in layer.weights])


def _random_values(random: np.random.Generator, weight: keras.Variable) -> Any:
    if weight.name in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, weight.shape)
    return random.normal(0.0, 0.2, weight.shape)


@contextmanager
def session_model(version: Path) -> Iterator[SessionModel]:
    tf.get_logger().setLevel("ERROR")  # it would recommend a newer loader; TensorFlow Serving uses sessions
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():  # only while loading: otherwise it would be the default graph of every test
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
    signature = meta_graph.signature_def["serving_default"]
    image_bytes, scores = signature.inputs["image_bytes"].name, signature.outputs["scores"].name
    yield SessionModel(meta_graph.signature_def, lambda images: session.run(scores, {image_bytes: images}))
    session.close()
