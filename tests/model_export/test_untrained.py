"""Random weights, with which a system behaves as with trained ones."""

from typing import Final

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_export import network, serving_graph, untrained
from model_export.recipe import Recipe
from tests.model_export import images
from tests.model_export.networks import Scores, untrained_network
from tests.model_export.recipes import INCEPTION_V3, MOBILENET_V2

MOBILENET_V3: Final = Recipe(name="mobilenet_v3", source="MobileNetV3Small", size=224, background=True)

pytestmark = pytest.mark.slow


def untrained_scores(recipe: Recipe) -> Scores:
    network_input = serving_graph.network_input(recipe, tf.constant(images.four_different()))
    scores: Scores = untrained_network(recipe)(network_input, training=False).numpy()
    return scores


@pytest.mark.parametrize("recipe", [MOBILENET_V2, INCEPTION_V3], ids=lambda recipe: recipe.name)
def test_different_images_get_different_labels_and_no_score_is_saturated(recipe: Recipe) -> None:
    scores = untrained_scores(recipe)
    assert np.isfinite(scores).all()
    assert len(set(scores.argmax(axis=1))) >= 3
    assert scores.max(axis=1).min() > 0.005
    assert scores.max() < 0.95


@pytest.mark.parametrize("recipe", [MOBILENET_V2, MOBILENET_V3], ids=lambda recipe: recipe.name)
def test_every_initialization_draws_the_same_weights(recipe: Recipe) -> None:
    first, second = untrained_network(recipe), network.construct(recipe, weights=None)
    untrained.initialize(second, recipe.scale)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_networks_that_scale_inside_do_not_amplify_rounding_errors() -> None:
    built = untrained_network(MOBILENET_V3)
    image = serving_graph.network_input(MOBILENET_V3, tf.constant([images.CAT.read_bytes()]))
    changed = image * (1.0 + 1e-6)
    np.testing.assert_allclose(built(changed, training=False), built(image, training=False), atol=1e-5)
    means = [layer.moving_mean for layer in built.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert all(np.abs(mean.numpy()).max() > 0 for mean in means)
