"""A network of three layers with the interface of `keras.applications`, for tests of everything but the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import keras
import pytest

from imagenet_export.architecture import Architecture

TINY: Final = Architecture(name="tiny", constructor="Tiny", input_size=32, keras_weights_file="tiny_weights.h5")

UNREACHABLE: Final = "http://127.0.0.1:9/tiny_weights.h5"


def build_tiny(weights: str | None) -> keras.Model:
    """The counterpart of `keras.applications.MobileNetV2`, including the download."""
    inputs = keras.Input((TINY.input_size, TINY.input_size, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.DepthwiseConv2D(3, use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(inputs, keras.layers.Dense(1000, activation="softmax")(x))
    if weights == "imagenet":
        network.load_weights(keras.utils.get_file(TINY.keras_weights_file, UNREACHABLE, cache_subdir="models"))
    return network


@contextmanager
def tiny_application() -> Iterator[None]:
    """`keras.applications` with the tiny network, which is preprocessed like MobileNetV2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "Tiny", build_tiny, raising=False)
        patch.setattr(keras.applications, "tiny", keras.applications.mobilenet_v2, raising=False)
        yield
