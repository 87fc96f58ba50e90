"""Random weights, for machines without ImageNet weights.

Their labels are meaningless, but a system behaves as with trained weights: scores are finite and not saturated, and
different images get different labels, so tests detect an answer for the wrong image. Keras's own initialization does
not achieve this: with it, MobileNetV2 gives every class of every image a score of 0.001.
"""

from typing import Final

import keras
import numpy as np

from model_export import scaling
from model_export.applications import Scale

SEED: Final = 20_151_202
"""Arbitrary, and fixed so that every machine draws the same weights."""

LOGIT_SPREAD: Final = 1.5
"""Standard deviation of the logits over classes and images. With it, the best of 1000 scores is around 0.1."""

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def initialize(network: keras.Model, scale: Scale = "tf") -> None:
    """Draw the weights of a new network [N, size, size, 3] → [N, L], the same ones at every call.

    `scale` is the range of the images that the network expects.
    """
    random = np.random.default_rng(SEED)
    for layer in network.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            kernel, *bias = layer.get_weights()
            layer.set_weights([_he_normal(random, layer, kernel.shape), *bias])
    _spread_logits(network, random, scale)


def _he_normal(random: np.random.Generator, layer: keras.layers.Layer, shape: tuple[int, ...]) -> Array:
    """Normal with variance 2 / fan-in, which preserves the scale of activations through ReLUs (He et al. 2015, eq. 10).

    Fan-in is height · width · channels for a kernel [height, width, channels, filters], and height · width for a
    depthwise kernel.
    """
    fan_in = np.prod(shape[:2] if isinstance(layer, keras.layers.DepthwiseConv2D) else shape[:3])
    return random.normal(0.0, np.sqrt(2.0 / fan_in), shape).astype(np.float32)


def _spread_logits(network: keras.Model, random: np.random.Generator, scale: Scale) -> None:
    """Give the classifier weights that distinguish images.

    The random features [N, F] of all images point in almost the same direction, so one class would always win. This
    removes that direction from the kernel [F, L], and scales the kernel by the logits of synthetic images. In some
    networks, the kernel is that of a convolution over one pixel, [1, 1, F, L].
    """
    classifier = next(layer for layer in reversed(network.layers) if hasattr(layer, "kernel"))
    mosaics = _mosaics(random, network.input_shape[1])
    if scale != "tf":
        mosaics = scaling.expected(scale, (mosaics + 1.0) * 127.5)
    if scale == "none":
        _normalize_activations(network, mosaics)
    features = keras.Model(network.input, classifier.input)(mosaics)
    shape = classifier.kernel.shape
    features = keras.ops.convert_to_numpy(features).astype(np.float64).reshape(len(mosaics), shape[-2])
    common = np.linalg.svd(features, full_matrices=False)[2][0]
    kernel = random.normal(size=shape[-2:])
    kernel -= np.outer(common, common @ kernel)
    mean = features.mean(axis=0)
    kernel *= LOGIT_SPREAD / ((features - mean) @ kernel).std()
    weights = [kernel.astype(np.float32).reshape(shape), -(mean @ kernel).astype(np.float32)]
    classifier.set_weights(weights[: len(classifier.weights)])


def _normalize_activations(network: keras.Model, mosaics: Array) -> None:
    """Give every batch normalization the mean and variance of these images, as training would.

    The EfficientNets need it: without, EfficientNetV2B1 amplifies rounding errors until scores in float32 differ by
    0.0075 from those in float64, which is as much as the best score.
    """
    momenta = {layer: layer.momentum for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)}
    rates = {layer: layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)}
    for layer in momenta:
        layer.momentum = 0.0  # adopts the statistics of one batch
    for layer in rates:
        layer.rate = 0.0  # would differ from run to run
    network(mosaics, training=True)
    for layer, momentum in momenta.items():
        layer.momentum = momentum
    for layer, rate in rates.items():
        layer.rate = rate


def _mosaics(random: np.random.Generator, size: int) -> Array:
    """Mosaics of random colours, from coarse to fine: float32 [16, size, size, 3] in -1…1."""
    grids = [2 ** (1 + i % 6) for i in range(16)]
    mosaics = []
    for grid in grids:
        tile = -(-size // grid)
        colours = random.uniform(-1.0, 1.0, (grid, grid, 3)).astype(np.float32)
        mosaics.append(colours.repeat(tile, axis=0).repeat(tile, axis=1)[:size, :size])
    return np.stack(mosaics)
