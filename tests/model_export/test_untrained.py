"""Random weights, with which a system behaves as with trained ones."""

import numpy as np
import pytest
import tensorflow as tf

from model_export import network, serving_graph, untrained
from model_export.recipe import Recipe
from tests.model_export import images
from tests.model_export.networks import Scores, untrained_network
from tests.model_export.recipes import INCEPTION_V3, MOBILENET_V2

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


def test_every_initialization_draws_the_same_weights() -> None:
    first, second = untrained_network(MOBILENET_V2), network.construct(MOBILENET_V2, weights=None)
    untrained.initialize(second)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
