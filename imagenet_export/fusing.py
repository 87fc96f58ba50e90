"""Batch normalisation folded into the convolution before it.

Serving, a batch normalisation is a fixed scale and shift per channel:

    y = gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta        (Ioffe and Szegedy 2015, algorithm 2)

so with s = gamma / sqrt(variance + epsilon) it equals one convolution with the kernel times s and a bias:

    y = conv(x; kernel * s) + (bias - mean) * s + beta
"""

from typing import Any

import keras
import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def fuse(network: keras.Model) -> keras.Model:
    """A network with the same answers and fewer operations. `network` itself is not changed."""
    normalisations = _normalisations(network)
    folded = {normalisation.name for normalisation in normalisations.values()}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in folded:
            return keras.layers.Activation("linear", name=layer.name)
        config = layer.get_config()
        if layer.name in normalisations:
            config["use_bias"] = True
        return type(layer).from_config(config)

    fused = keras.models.clone_model(network, clone_function=clone, call_function=_call)
    for layer in network.layers:
        if layer.name in normalisations:
            fused.get_layer(layer.name).set_weights(_folded_weights(layer, normalisations[layer.name]))
        elif layer.weights and layer.name not in folded:
            fused.get_layer(layer.name).set_weights(layer.get_weights())
    return fused


def _call(layer: keras.layers.Layer, *args: Any, **_: Any) -> Any:
    """Call a cloned layer on its inputs alone: the `mask` a batch normalisation was called with is none here."""
    return layer(*args)


def _normalisations(network: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """The batch normalisations that can be folded, by the name of the convolution each goes into.

    Such a convolution has no activation of its own, and nothing else reads its output.
    """
    producers = {id(layer.output): layer for layer in network.layers}
    readers: dict[int, int] = {}
    for layer in network.layers:
        for tensor in keras.tree.flatten(layer.input):
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    return {
        producers[id(layer.input)].name: layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.axis in (-1, 3)
        and readers[id(layer.input)] == 1
        and _is_linear_convolution(producers[id(layer.input)])
    }


def _is_linear_convolution(layer: keras.layers.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
        and layer.activation is keras.activations.linear
    )


def _folded_weights(convolution: keras.layers.Layer, normalisation: keras.layers.BatchNormalization) -> list[Array]:
    """Kernel and bias. A kernel is [height, width, in, out], a depthwise one [height, width, channels, multiplier]."""
    kernel, *rest = (weight.astype(np.float64) for weight in convolution.get_weights())
    bias = rest[0] if rest else 0.0
    mean = _numpy(normalisation.moving_mean)
    scale = 1.0 / np.sqrt(_numpy(normalisation.moving_variance) + normalisation.epsilon)
    if normalisation.scale:
        scale = scale * _numpy(normalisation.gamma)
    shift = _numpy(normalisation.beta) if normalisation.center else 0.0
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    kernel = kernel * (scale.reshape(kernel.shape[2:]) if depthwise else scale)
    return [kernel.astype(np.float32), ((bias - mean) * scale + shift).astype(np.float32)]


def _numpy(variable: keras.Variable) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    array: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = variable.numpy().astype(np.float64)
    return array
