"""Loads a `.keras` file."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from model_export.errors import SourceUnreadable, SourceUnsupported, first_line
from model_export.own_shape import image_size
from model_export.recipe import Recipe


def load(path: Path, recipe: Recipe) -> keras.Model:
    """Raises SourceUnreadable, SourceUnsupported."""
    try:
        network = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types, depending on the damage
        raise SourceUnreadable(
            f"Keras can't load {path} ({first_line(error)}); save it with Keras {keras.__version__}, or export it with "
            "model.export(DIRECTORY) and pass that directory, which needs no code of your own layers"
        ) from error
    shapes = keras.tree.flatten(network.inputs or [])
    if len(shapes) != 1:
        raise SourceUnsupported(f"{path} has {len(shapes)} inputs; a model to serve takes one tensor")
    outputs = keras.tree.flatten(network.outputs)
    if len(outputs) != 1:
        raise SourceUnsupported(
            f"{path} has {len(outputs)} outputs; keep one: keras.Model(model.input, model.output[0])"
        )
    _check_dtype(path, recipe, shapes[0].dtype)
    return network


def call(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    rank = len(network.input_shape)

    def run(inputs: tf.Tensor) -> tf.Tensor:
        if rank == 2 and inputs.dtype == tf.string:
            inputs = inputs[:, None]
        return tf.cast(network(inputs, training=False), tf.float32)

    return run


def size(path: Path, recipe: Recipe, network: keras.Model) -> int | None:
    """Raises SourceUnsupported."""
    return image_size(path, recipe, tf.TensorShape(network.input_shape))


def is_single(network: keras.Model) -> bool:
    return bool(network.input_shape[0] == 1)


def _check_dtype(path: Path, recipe: Recipe, dtype: str) -> None:
    if dtype == "string" and recipe.input == "image":
        raise SourceUnsupported(f"{path} takes strings; pass --input text or --input bytes")
    if dtype != "string" and recipe.input != "image":
        raise SourceUnsupported(f"{path} takes {dtype}, not strings; --input {recipe.input} is for models of strings")
