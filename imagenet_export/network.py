"""Builds the Keras network with weights from a directory or from Keras, or with random ones where that is allowed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import keras

from imagenet_export import untrained
from imagenet_export.architecture import Architecture
from imagenet_export.errors import WeightsUnavailable, WeightsUnreadable, first_line
from imagenet_export.progress import Progress
from imagenet_export.weights import KERAS, UNTRAINED, WEIGHTS_DIR, LocalWeights, Origin, origin_of_file

DOWNLOAD_TIMEOUT_S: Final = 30.0
"""Limits the time without a received byte. Keras sets no timeout."""


def build(
    architecture: Architecture, local: LocalWeights, *, allow_untrained: bool, progress: Progress
) -> tuple[keras.Model, Origin]:
    """Return the network and the origin of its weights.

    The network takes float32 images [N, size, size, 3] and returns softmax scores [N, 1000]. Raises WeightsUnreadable,
    WeightsUnavailable.
    """
    keras.config.set_floatx("float32")  # ~/.keras/keras.json may set other defaults
    keras.config.set_image_data_format("channels_last")
    if local.missing is not None:
        progress.print(f"{WEIGHTS_DIR} is set, but {local.missing} does not exist: trying Keras's cache and download")
    if local.file is not None:
        with progress.step(f"building the network with {local.file}"):
            return _from_file(architecture, local), origin_of_file(local.file)
    try:
        return _from_keras(architecture, local, progress), KERAS
    except WeightsUnavailable as unavailable:
        if not allow_untrained:
            raise WeightsUnavailable(f"{unavailable}; {_advice(architecture)}") from unavailable
        progress.print(str(unavailable))
    with progress.step("building the network with untrained weights"):
        network = constructor(architecture)(weights=None)
        untrained.initialize(network)
        return network, UNTRAINED


def constructor(architecture: Architecture) -> type[keras.Model]:
    found: type[keras.Model] = getattr(keras.applications, architecture.constructor)
    return found


def _from_file(architecture: Architecture, local: LocalWeights) -> keras.Model:
    network = constructor(architecture)(weights=None)
    try:
        network.load_weights(local.file)
    except Exception as error:  # h5py and Keras raise many types, depending on the damage
        raise WeightsUnreadable(
            f"{local.file} does not hold weights of {architecture.constructor} as Keras's save_weights writes them "
            f"({first_line(error)}); replace the file or unset {WEIGHTS_DIR}"
        ) from error
    return network


def _from_keras(architecture: Architecture, local: LocalWeights, progress: Progress) -> keras.Model:
    source = "Keras's cache" if local.cached else "Keras's download"
    progress.print(f"building the network with the ImageNet weights of {source}")
    try:
        with _socket_timeout(DOWNLOAD_TIMEOUT_S):
            return constructor(architecture)(weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if local.cached is not None and local.cached.is_file():
            raise WeightsUnreadable(
                f"{local.cached} can't be read ({first_line(error)}); delete it, and Keras downloads it again"
            ) from error
        raise WeightsUnavailable(f"no ImageNet weights: {first_line(error)}") from error


def _advice(architecture: Architecture) -> str:
    return (
        f"connect to the network, or set {WEIGHTS_DIR} to a directory with {architecture.weights_file}, "
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
