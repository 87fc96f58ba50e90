"""The Keras network with weights in it: from a directory, from Keras, or untrained where that is allowed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from imagenet_export import untrained
from imagenet_export.architecture import Architecture
from imagenet_export.errors import WeightsUnavailable, WeightsUnreadable, first_line
from imagenet_export.progress import Progress
from imagenet_export.weights import KERAS, UNTRAINED, WEIGHTS_DIR, LocalWeights, Origin, origin_of_file

_DOWNLOAD_SILENCE = 30.0
"""Seconds without a byte after which a download has failed. Keras itself waits for ever."""


def build(
    architecture: Architecture, local: LocalWeights, *, allow_untrained: bool, progress: Progress
) -> tuple[keras.Model, Origin]:
    """The network, float32 images [N, size, size, 3] in, softmax [N, 1000] out, and where its weights are from.

    Raises WeightsUnreadable, WeightsUnavailable.
    """
    keras.config.set_floatx("float32")  # ~/.keras/keras.json may say otherwise
    keras.config.set_image_data_format("channels_last")
    if local.missing is not None:
        progress.say(f"{WEIGHTS_DIR} is set, but {local.missing} is not there: asking Keras for its weights")
    if local.file is not None:
        with progress.step(f"building the network with {local.file}"):
            return _from_file(architecture, local), origin_of_file(local.file)
    try:
        return _from_keras(architecture, local, progress), KERAS
    except WeightsUnavailable as unavailable:
        if not allow_untrained:
            raise WeightsUnavailable(f"{unavailable}; {_advice(architecture)}") from unavailable
        progress.say(str(unavailable))
    with progress.step("building the network with untrained weights"):
        network = constructor(architecture)(weights=None)
        untrained.initialise(network)
        return network, UNTRAINED


def constructor(architecture: Architecture) -> type[keras.Model]:
    found: type[keras.Model] = getattr(keras.applications, architecture.constructor)
    return found


def _from_file(architecture: Architecture, local: LocalWeights) -> keras.Model:
    network = constructor(architecture)(weights=None)
    try:
        network.load_weights(local.file)
    except Exception as error:  # h5py and Keras raise whatever the damage leads them to
        raise WeightsUnreadable(
            f"{local.file} does not hold weights of {architecture.constructor} as Keras's save_weights writes them "
            f"({first_line(error)}); replace the file or unset {WEIGHTS_DIR}"
        ) from error
    return network


def _from_keras(architecture: Architecture, local: LocalWeights, progress: Progress) -> keras.Model:
    found = "Keras's cache" if local.cached else "Keras's download"
    progress.say(f"building the network with the ImageNet weights of {found}")
    try:
        with _impatient_sockets():
            return constructor(architecture)(weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if local.cached is not None and local.cached.is_file():
            raise WeightsUnreadable(
                f"{local.cached} can't be read ({first_line(error)}); delete it, and Keras downloads it again"
            ) from error
        raise WeightsUnavailable(f"no ImageNet weights: {first_line(error)}") from error


def _advice(architecture: Architecture) -> str:
    return (
        f"connect to the network, or name a directory with {architecture.weights_file} in {WEIGHTS_DIR}, "
        "or pass --allow-untrained if labels need not mean anything"
    )


@contextmanager
def _impatient_sockets() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
