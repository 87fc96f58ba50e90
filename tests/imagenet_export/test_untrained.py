"""Random weights, with which a system behaves as with trained ones."""

import numpy as np
import pytest
import tensorflow as tf

from imagenet_export import network, serving_graph, untrained
from imagenet_export.architecture import Architecture
from imagenet_inception_v3.export import INCEPTION_V3
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export import images
from tests.imagenet_export.networks import Scores, untrained_network

pytestmark = pytest.mark.slow


def untrained_scores(architecture: Architecture) -> Scores:
    network_input = serving_graph.network_input(architecture, tf.constant(images.four_different()))
    scores: Scores = untrained_network(architecture)(network_input, training=False).numpy()
    return scores


@pytest.mark.parametrize("architecture", [MOBILENET_V2, INCEPTION_V3], ids=lambda architecture: architecture.name)
def test_different_images_get_different_labels_and_no_score_is_saturated(architecture: Architecture) -> None:
    scores = untrained_scores(architecture)
    assert np.isfinite(scores).all()
    assert len(set(scores.argmax(axis=1))) >= 3
    assert scores.max(axis=1).min() > 0.005
    assert scores.max() < 0.95


def test_every_initialization_draws_the_same_weights() -> None:
    first, second = untrained_network(MOBILENET_V2), network.constructor(MOBILENET_V2)(weights=None)
    untrained.initialize(second)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
