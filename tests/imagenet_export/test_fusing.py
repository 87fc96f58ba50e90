"""Folding batch normalisation changes no answer."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from imagenet_export.fusing import fuse
from tests.imagenet_export.networks import Exported, disturb_normalisations


def normalisations(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def noise(*shape: int) -> Any:
    return np.random.default_rng(5).uniform(-1.0, 1.0, shape).astype(np.float32)


@pytest.mark.timeout(300)  # the first test to ask for a model may have to export it
def test_a_fused_network_answers_as_the_network_does(exported: Exported) -> None:
    size = exported.architecture.input_size
    fused = fuse(exported.network)
    seen = noise(2, size, size, 3)
    expected = exported.network.predict(seen, verbose=0)
    np.testing.assert_allclose(fused.predict(seen, verbose=0), expected, rtol=1e-3, atol=1e-7)
    assert expected.max() > 0.01  # of 1000 classes: not all alike


@pytest.mark.timeout(300)
def test_nothing_is_left_to_normalise_and_the_original_is_as_it_was(exported: Exported) -> None:
    before = [weight.copy() for weight in exported.network.get_weights()]
    fused = fuse(exported.network)
    assert normalisations(fused) == []
    assert len(normalisations(exported.network)) > 50
    assert all(np.array_equal(a, b) for a, b in zip(before, exported.network.get_weights(), strict=True))


def test_the_fused_network_keeps_weights_of_its_own(exported: Exported) -> None:
    fused = fuse(exported.network)
    shared = {id(weight) for weight in fused.weights} & {id(weight) for weight in exported.network.weights}
    assert not shared


Layers = Callable[[Any], Any]


def convolution_with_bias(x: Any) -> Any:
    return keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3, bias_initializer="random_normal")(x))


def without_scale_and_centre(x: Any) -> Any:
    return keras.layers.BatchNormalization(scale=False, center=False)(keras.layers.Conv2D(5, 3, use_bias=False)(x))


def depthwise_of_two_filters_per_channel(x: Any) -> Any:
    convolved = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)(x)
    return keras.layers.BatchNormalization(epsilon=0.01)(convolved)


def followed_by_an_activation(x: Any) -> Any:
    return keras.layers.ReLU()(convolution_with_bias(x))


@pytest.mark.parametrize(
    "layers",
    [
        convolution_with_bias,
        without_scale_and_centre,
        depthwise_of_two_filters_per_channel,
        followed_by_an_activation,
    ],
)
def test_a_normalisation_right_after_a_convolution_is_folded(layers: Layers) -> None:
    model = a_network(layers)
    fused = fuse(model)
    assert normalisations(fused) == []
    seen = noise(2, 8, 8, 3)
    np.testing.assert_allclose(fused(seen), model(seen, training=False), atol=1e-5)


def after_an_activation(x: Any) -> Any:
    return keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3, activation="relu")(x))


def whose_convolution_is_read_elsewhere_too(x: Any) -> Any:
    convolved = keras.layers.Conv2D(5, 3)(x)
    return keras.layers.Add()([convolved, keras.layers.BatchNormalization()(convolved)])


def after_no_convolution(x: Any) -> Any:
    return keras.layers.BatchNormalization()(keras.layers.MaxPooling2D()(x))


@pytest.mark.parametrize("layers", [after_an_activation, whose_convolution_is_read_elsewhere_too, after_no_convolution])
def test_a_normalisation_that_is_more_than_a_part_of_a_convolution_stays(layers: Layers) -> None:
    model = a_network(layers)
    fused = fuse(model)
    assert len(normalisations(fused)) == 1
    seen = noise(2, 8, 8, 3)
    np.testing.assert_allclose(fused(seen), model(seen, training=False), atol=1e-5)


def a_network(layers: Layers) -> keras.Model:
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layers(x))
    disturb_normalisations(model)
    return model
