"""A loaded source: the model from which a version is made, as functions of TensorFlow tensors."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from model_export import own_keras, own_saved_model
from model_export.errors import SourceUnsupported
from model_export.fusing import fuse
from model_export.precision import convert_to_bfloat16
from model_export.progress import Progress
from model_export.recipe import Location, Recipe
from model_export.record import Precision

Call = Callable[[tf.Tensor], tf.Tensor]
"""What the source takes, scaled and in its own layout, → what it returns: scores or logits, float32 [N, L]."""


@dataclass(frozen=True, slots=True)
class Source:
    reference: Call
    """The source as it is. The version is verified against it."""

    call: Call
    """Equivalent to `reference`; for the SavedModel."""

    ir_call: Call
    """Equivalent to `reference`, in float32; for the IR."""

    size: int | None = None
    """Height and width of its input, if they are fixed."""

    is_single: bool = False
    """It takes a batch of exactly one."""

    tracked: Any = None
    """What owns its variables and lookup tables."""

    directory: "tempfile.TemporaryDirectory[str] | None" = None
    """Holds the files of its lookup tables, which the version copies."""

    def close(self) -> None:
        if self.directory is not None:
            self.directory.cleanup()


def of_network(
    network: keras.Model, size: int | None, precision: Precision, progress: Progress, *, must_fuse: bool
) -> Source:
    """A source that is faster than `network`: batch normalization is folded into the convolutions where possible."""
    with progress.step("folding batch normalization into the convolutions"):
        try:
            fused = fuse(network)
        except Exception:  # a network of one's own may contain anything; it is only slower without
            if must_fuse:
                raise
            progress.print("this network can't be rebuilt layer by layer, so its batch normalization stays as it is")
            fused = network
    served = convert_to_bfloat16(fused) if precision == "bfloat16" else fused
    reference, call, ir_call = (own_keras.call(model) for model in (network, served, fused))
    return Source(reference, call, ir_call, size, own_keras.is_single(network), tracked=[network, served])


def load_own(recipe: Recipe, location: Location, precision: Precision, progress: Progress) -> Source:
    """Raises SourceUnreadable, SourceUnsupported."""
    path = location.source
    assert path is not None, "only the networks of keras.applications have no path"  # noqa: S101 (a bug, not an input)
    with progress.step(f"loading {path}"):
        if recipe.kind == "keras":
            network = own_keras.load(path, recipe)
        else:
            loaded, call, size, is_single = own_saved_model.load(path, recipe)
            return Source(call, call, call, size, is_single, tracked=loaded)
    if recipe.input == "image":
        size = own_keras.size(path, recipe, network)
        return of_network(network, size, precision, progress, must_fuse=False)
    return _of_text_network(network, recipe)


def _of_text_network(network: keras.Model, recipe: Recipe) -> Source:
    """Keras's own export is wrapped: sessions do not restore the variables of Keras's layers, only those it exports."""
    directory = tempfile.TemporaryDirectory()
    network.export(directory.name, verbose=False)
    loaded, call, _, is_single = own_saved_model.load(Path(directory.name), recipe)
    return Source(own_keras.call(network), call, call, None, is_single, tracked=loaded, directory=directory)


def with_size(recipe: Recipe, source: Source) -> Recipe:
    """The recipe with the size that the source has. Raises SourceUnsupported."""
    if recipe.input != "image":
        return recipe
    if source.size is not None and recipe.size not in (None, source.size):
        raise SourceUnsupported(
            f"{recipe.source} takes images of {source.size} × {source.size} pixels; pass --size {source.size} or leave "
            "--size out"
        )
    size = source.size or recipe.size
    if size is None:
        raise SourceUnsupported(f"{recipe.source} takes images of any size; say with --size which size suits it")
    return replace(recipe, size=size)
