"""Weights nobody trained, for machines where trained ones can't be had.

Their labels mean nothing, but a system runs on them as on real ones: scores are finite and not saturated, and other
images get other labels, so an answer given to the wrong image is seen. Keras's own initialisation won't do: through
MobileNetV2 all scores of all images come out as 0.001.
"""

import keras
import numpy as np

_SEED = 20_151_202  # any number: the same weights on every machine

_SPREAD = 1.5
"""Standard deviation of the logits over classes and images: the best of 1000 scores is then around 0.1."""

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def initialise(network: keras.Model) -> None:
    """Draw the weights of a fresh network [N, size, size, 3] → [N, 1000], the same on every call."""
    random = np.random.default_rng(_SEED)
    for layer in network.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            kernel, *bias = layer.get_weights()
            layer.set_weights([_he_normal(random, layer, kernel.shape), *bias])
    _spread_logits(network, random)


def _he_normal(random: np.random.Generator, layer: keras.layers.Layer, shape: tuple[int, ...]) -> Array:
    """Normal with variance 2 / fan-in, which keeps activations at one scale through ReLUs (He et al. 2015, eq. 10).

    Fan-in is height · width · channels of a kernel [height, width, channels, filters], and height · width where each
    channel is convolved by itself.
    """
    fan_in = np.prod(shape[:2] if isinstance(layer, keras.layers.DepthwiseConv2D) else shape[:3])
    return random.normal(0.0, np.sqrt(2.0 / fan_in), shape).astype(np.float32)


def _spread_logits(network: keras.Model, random: np.random.Generator) -> None:
    """Give the classifier weights that set images apart.

    Random features [N, F] of all images point almost the same way, so that the same class would win always. The kernel
    [F, 1000] is made blind to that direction, and scaled by what it sees in synthetic images.
    """
    classifier = network.layers[-1]
    features = keras.Model(network.input, classifier.input)(_patterns(random, network.input_shape[1]))
    features = keras.ops.convert_to_numpy(features).astype(np.float64)
    common = np.linalg.svd(features, full_matrices=False)[2][0]
    kernel = random.normal(size=classifier.kernel.shape)
    kernel -= np.outer(common, common @ kernel)
    mean = features.mean(axis=0)
    kernel *= _SPREAD / ((features - mean) @ kernel).std()
    classifier.set_weights([kernel.astype(np.float32), -(mean @ kernel).astype(np.float32)])


def _patterns(random: np.random.Generator, size: int) -> Array:
    """Mosaics from coarse to fine: float32 [16, size, size, 3] within [-1, 1]."""
    grids = [2 ** (1 + i % 6) for i in range(16)]
    mosaics = []
    for grid in grids:
        tile = -(-size // grid)
        colours = random.uniform(-1.0, 1.0, (grid, grid, 3)).astype(np.float32)
        mosaics.append(colours.repeat(tile, axis=0).repeat(tile, axis=1)[:size, :size])
    return np.stack(mosaics)
