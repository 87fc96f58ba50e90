"""Builds the Keras network with weights from a directory or from Keras, or with random ones where that is allowed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import keras

from model_export import untrained
from model_export.applications import CLASSES
from model_export.errors import SourceUnsupported, WeightsUnavailable, WeightsUnreadable, first_line
from model_export.progress import Progress
from model_export.recipe import Location, Recipe
from model_export.weights import KERAS, UNTRAINED, WEIGHTS_DIR, LocalWeights, Origin, origin_of_file, origin_of_own

DOWNLOAD_TIMEOUT_S: Final = 30.0
"""Limits the time without a received byte. Keras sets no timeout."""


def build(
    recipe: Recipe, location: Location, local: LocalWeights, *, allow_untrained: bool, progress: Progress
) -> tuple[keras.Model, Origin]:
    """Return the network and the origin of its weights.

    The network takes float32 images [N, size, size, 3] and returns softmax scores [N, 1000]. Raises WeightsUnreadable,
    WeightsUnavailable, SourceUnsupported.
    """
    if location.weights is not None:
        with progress.step(f"building the network with {location.weights}"):
            return _from_file(recipe, location.weights, "--weights"), origin_of_own(location)
    if local.missing is not None:
        progress.print(f"{WEIGHTS_DIR} is set, but {local.missing} does not exist: trying Keras's cache and download")
    if local.file is not None:
        with progress.step(f"building the network with {local.file}"):
            return _from_file(recipe, local.file, WEIGHTS_DIR), origin_of_file(local.file)
    try:
        return _from_keras(recipe, local, progress), KERAS
    except WeightsUnavailable as unavailable:
        if not allow_untrained:
            raise WeightsUnavailable(f"{unavailable}; {_advice(recipe)}") from unavailable
        progress.print(str(unavailable))
    with progress.step("building the network with untrained weights"):
        network = construct(recipe, weights=None)
        untrained.initialize(network, recipe.scale)
        return network, UNTRAINED


def construct(recipe: Recipe, weights: str | None) -> keras.Model:
    size = recipe.pixels_size
    constructor = getattr(keras.applications, recipe.source)
    try:
        return constructor(weights=weights, input_shape=(size, size, 3), classes=recipe.classes or CLASSES)
    except ValueError as error:
        if size == recipe.application.size:
            raise
        raise SourceUnsupported(
            f"{recipe.source} can't be built for --size {size} ({first_line(error)}); leave --size out for "
            f"{recipe.application.size}"
        ) from error


def _from_file(recipe: Recipe, file: Path, setting: str) -> keras.Model:
    network = construct(recipe, weights=None)
    try:
        network.load_weights(file)
    except Exception as error:  # h5py and Keras raise many types, depending on the damage
        raise WeightsUnreadable(
            f"{file} does not hold weights of {recipe.source} as Keras's save_weights writes them "
            f"({first_line(error)}); replace the file or unset {setting}"
        ) from error
    return network


def _from_keras(recipe: Recipe, local: LocalWeights, progress: Progress) -> keras.Model:
    source = "Keras's cache" if local.cached else "Keras's download"
    progress.print(f"building the network with the ImageNet weights of {source}")
    try:
        with _socket_timeout(DOWNLOAD_TIMEOUT_S):
            return construct(recipe, weights="imagenet")
    except SourceUnsupported:
        raise
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if local.cached is not None and local.cached.is_file():
            raise WeightsUnreadable(
                f"{local.cached} can't be read ({first_line(error)}); delete it, and Keras downloads it again"
            ) from error
        raise WeightsUnavailable(f"no ImageNet weights: {first_line(error)}") from error


def _advice(recipe: Recipe) -> str:
    return (
        f"connect to the network, or set {WEIGHTS_DIR} to a directory with {recipe.application.weights_file}, "
        "or pass --allow-untrained if meaningless labels are acceptable"
    )


@contextmanager
def _socket_timeout(timeout_s: float) -> Iterator[None]:
    """The default timeout of new sockets: Keras offers no way to pass one."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout_s)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
