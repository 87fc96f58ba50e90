"""Loads someone's own SavedModel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_export.errors import SourceUnreadable, SourceUnsupported, first_line
from model_export.own_shape import image_size
from model_export.recipe import Recipe
from model_export.signature import SIGNATURE

Call = Callable[[tf.Tensor], tf.Tensor]


def load(path: Path, recipe: Recipe) -> tuple[Any, Call, int | None, bool]:
    """The loaded object, its signature as a function, height and width, and whether it takes exactly one input.

    Raises SourceUnreadable, SourceUnsupported.
    """
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises many types, depending on the damage
        raise SourceUnreadable(f"TensorFlow can't load {path} ({first_line(error)}); export it again") from error
    function = _signature(loaded, path, recipe.signature)
    (alias, spec) = _input(function, path, recipe)
    output = _output(function, path, recipe.output)
    rank = spec.shape.rank

    def call(inputs: tf.Tensor) -> tf.Tensor:
        if inputs.dtype == tf.string and rank == 2:
            inputs = inputs[:, None]
        return tf.cast(function(**{alias: tf.cast(inputs, spec.dtype)})[output], tf.float32)

    batch = spec.shape[0] if rank else None
    if batch not in (None, 1):
        raise SourceUnsupported(f"{path} takes batches of exactly {batch}; export it with any batch size, or with 1")
    return loaded, call, image_size(path, recipe, spec.shape), batch == 1


def _signature(loaded: Any, path: Path, name: str | None) -> Any:
    names = sorted(loaded.signatures)
    if not names:
        raise SourceUnsupported(f"{path} has no signatures; save it with tf.saved_model.save(…, signatures=…)")
    chosen = name or (SIGNATURE if SIGNATURE in names else names[0] if len(names) == 1 else None)
    if chosen not in names:
        raise SourceUnsupported(f"{path} has the signatures {', '.join(names)}; choose one with --signature")
    return loaded.signatures[chosen]


def _input(function: Any, path: Path, recipe: Recipe) -> tuple[str, tf.TensorSpec]:
    inputs = function.structured_input_signature[1]
    if len(inputs) != 1:
        raise SourceUnsupported(f"{path} takes {len(inputs)} tensors ({', '.join(sorted(inputs))}), not one")
    ((alias, spec),) = inputs.items()
    if recipe.input == "image" and spec.dtype == tf.string:
        raise SourceUnsupported(f"{path} takes strings; pass --input text or --input bytes")
    if recipe.input != "image" and spec.dtype != tf.string:
        raise SourceUnsupported(f"{path} takes {spec.dtype.name}, not strings; --input {recipe.input} needs strings")
    if recipe.input == "image" and not spec.dtype.is_floating:
        raise SourceUnsupported(f"{path} takes {spec.dtype.name}; it must take floats")
    return alias, spec


def _output(function: Any, path: Path, name: str | None) -> str:
    names = sorted(function.structured_outputs)
    chosen: str = name or (names[0] if len(names) == 1 else "")
    if chosen not in names:
        raise SourceUnsupported(f"{path} has the outputs {', '.join(names)}; choose the scores with --output")
    return chosen
