"""A network of three layers with the interface of `keras.applications`, for tests of everything but the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import keras
import pytest

from model_export.applications import APPLICATIONS, Application
from model_export.recipe import Recipe

APPLICATION: Final = Application("Tiny", "tiny", 32, "tf", "tiny_weights.h5")
TINY: Final = Recipe(name="tiny", source="Tiny", size=32, scale="tf", background=True)

UNREACHABLE: Final = "http://127.0.0.1:9/tiny_weights.h5"


def build_tiny(weights: str | None, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """The counterpart of `keras.applications.MobileNetV2`, including the download."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.DepthwiseConv2D(3, use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))
    if weights == "imagenet":
        network.load_weights(keras.utils.get_file(APPLICATION.keras_weights_file, UNREACHABLE, cache_subdir="models"))
    return network


@contextmanager
def tiny_application() -> Iterator[None]:
    """`keras.applications` with the tiny network, which is preprocessed like MobileNetV2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "Tiny", build_tiny, raising=False)
        patch.setattr(keras.applications, "tiny", keras.applications.mobilenet_v2, raising=False)
        patch.setitem(APPLICATIONS, "Tiny", APPLICATION)
        yield
