"""Folding batch normalization does not change scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest

from model_export.fusing import fuse
from model_export.precision import convert_to_bfloat16
from tests.model_export.networks import ExportedModel, randomize_normalizations


def normalizations(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def noise(*shape: int) -> Any:
    return np.random.default_rng(5).uniform(-1.0, 1.0, shape).astype(np.float32)


@dataclass(frozen=True, slots=True)
class FusedModel:
    original: ExportedModel
    weights_before: list[Any]
    fused: keras.Model


@pytest.fixture(scope="module")
def fused_model(model: ExportedModel) -> FusedModel:
    weights_before = [weight.copy() for weight in model.network.get_weights()]
    return FusedModel(model, weights_before, fuse(model.network))


@pytest.mark.timeout(300)  # the first test that uses a model may have to export it
def test_a_fused_network_has_the_scores_of_the_original(fused_model: FusedModel) -> None:
    size = fused_model.original.recipe.pixels_size
    batch = noise(2, size, size, 3)
    expected = fused_model.original.network(batch, training=False).numpy()
    np.testing.assert_allclose(fused_model.fused(batch, training=False), expected, rtol=1e-3, atol=1e-7)
    assert expected.max() > 0.01  # of 1000 classes, so scores are not all alike


def test_a_fused_network_has_no_batch_normalization_and_the_original_is_unchanged(fused_model: FusedModel) -> None:
    original = fused_model.original.network
    assert normalizations(fused_model.fused) == []
    assert len(normalizations(original)) > 50
    assert all(np.array_equal(*pair) for pair in zip(fused_model.weights_before, original.get_weights(), strict=True))


def test_a_fused_network_shares_no_weights_with_the_original(fused_model: FusedModel) -> None:
    fused, original = fused_model.fused, fused_model.original.network
    shared = {id(weight) for weight in fused.weights} & {id(weight) for weight in original.weights}
    assert not shared


Layers = Callable[[Any], Any]


def convolution_with_bias(x: Any) -> Any:
    return keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3, bias_initializer="random_normal")(x))


def without_scale_and_center(x: Any) -> Any:
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
        without_scale_and_center,
        depthwise_of_two_filters_per_channel,
        followed_by_an_activation,
    ],
)
def test_a_normalization_directly_after_a_convolution_is_folded(layers: Layers) -> None:
    model = network_of(layers)
    fused = fuse(model)
    assert normalizations(fused) == []
    batch = noise(2, 8, 8, 3)
    np.testing.assert_allclose(fused(batch), model(batch, training=False), atol=1e-5)


def after_an_activation(x: Any) -> Any:
    return keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3, activation="relu")(x))


def after_a_convolution_with_two_readers(x: Any) -> Any:
    convolved = keras.layers.Conv2D(5, 3)(x)
    return keras.layers.Add()([convolved, keras.layers.BatchNormalization()(convolved)])


def after_no_convolution(x: Any) -> Any:
    return keras.layers.BatchNormalization()(keras.layers.MaxPooling2D()(x))


@pytest.mark.parametrize("layers", [after_an_activation, after_a_convolution_with_two_readers, after_no_convolution])
def test_any_other_normalization_is_kept(layers: Layers) -> None:
    model = network_of(layers)
    fused = fuse(model)
    assert len(normalizations(fused)) == 1
    batch = noise(2, 8, 8, 3)
    np.testing.assert_allclose(fused(batch), model(batch, training=False), atol=1e-5)


@pytest.mark.parametrize("is_nested", [False, True])
def test_the_normalization_of_pixels_which_the_efficientnets_have_keeps_its_mean_and_variance(is_nested: bool) -> None:
    x = keras.Input((8, 8, 3))
    normalization = keras.layers.Normalization()
    normalization.adapt(7.0 + 3.0 * noise(20, 8, 8, 3))
    scaled = keras.Sequential([x, normalization])(x) if is_nested else normalization(x)
    model = keras.Model(x, convolution_with_bias(scaled))
    batch = noise(2, 8, 8, 3)
    expected = model(batch, training=False).numpy()
    np.testing.assert_allclose(fuse(model)(batch), expected, atol=1e-5)
    bfloat16 = convert_to_bfloat16(keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(normalization(x)))))
    means = [layer.mean for layer in bfloat16.layers if isinstance(layer, keras.layers.Normalization)]
    np.testing.assert_allclose(means[0].numpy().astype(np.float32), normalization.mean.numpy(), atol=0.1)


def network_of(layers: Layers) -> keras.Model:
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layers(x))
    randomize_normalizations(model)
    return model
