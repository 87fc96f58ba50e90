"""Folds batch normalization into the convolution before it.

At serving time, batch normalization is a fixed scale and shift per channel:

    y = gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta        (Ioffe and Szegedy 2015, algorithm 2)

With s = gamma / sqrt(variance + epsilon), this equals one convolution with the kernel times s and a bias:

    y = conv(x; kernel * s) + (bias - mean) * s + beta
"""

from typing import Any

import keras
import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def fuse(network: keras.Model) -> keras.Model:
    """Return an equivalent network with fewer operations. `network` itself is not changed."""
    normalizations = _foldable_normalizations(network)
    folded = {normalization.name for normalization in normalizations.values()}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in folded:
            return keras.layers.Activation("linear", name=layer.name)
        config = layer.get_config()
        if layer.name in normalizations:
            config["use_bias"] = True
        return type(layer).from_config(config)

    fused = keras.models.clone_model(network, clone_function=clone, call_function=call_without_mask)
    for layer in network.layers:
        if layer.name in normalizations:
            fused.get_layer(layer.name).set_weights(_folded_weights(layer, normalizations[layer.name]))
        elif layer.weights and layer.name not in folded:
            set_weights(fused.get_layer(layer.name), layer.get_weights())
    return fused


def set_weights(layer: keras.layers.Layer, weights: list[Array]) -> None:
    """Set the weights of a cloned layer or network, and what its normalizations of pixels compute from them."""
    layer.set_weights(weights)
    for inner in layer._flatten_layers():
        if isinstance(inner, keras.layers.Normalization):
            inner.finalize_state()


def call_without_mask(layer: keras.layers.Layer, *args: Any, **_: Any) -> Any:
    """Call a cloned layer on its inputs alone: unlike batch normalization, its replacement takes no `mask`."""
    return layer(*args)


def _foldable_normalizations(network: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """Map the name of a convolution to the batch normalization that can be folded into it.

    Such a convolution has no activation of its own, and only the normalization reads its output.
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


def _folded_weights(convolution: keras.layers.Layer, normalization: keras.layers.BatchNormalization) -> list[Array]:
    """Kernel and bias. A kernel is [height, width, in, out], a depthwise one [height, width, channels, multiplier]."""
    kernel, *rest = (weight.astype(np.float64) for weight in convolution.get_weights())
    bias = rest[0] if rest else 0.0
    mean = _to_float64(normalization.moving_mean)
    scale = 1.0 / np.sqrt(_to_float64(normalization.moving_variance) + normalization.epsilon)
    if normalization.scale:
        scale = scale * _to_float64(normalization.gamma)
    shift = _to_float64(normalization.beta) if normalization.center else 0.0
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    kernel = kernel * (scale.reshape(kernel.shape[2:]) if depthwise else scale)
    return [kernel.astype(np.float32), ((bias - mean) * scale + shift).astype(np.float32)]


def _to_float64(variable: keras.Variable) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    array: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = variable.numpy().astype(np.float64)
    return array
