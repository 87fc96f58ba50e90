"""A network that computes in bfloat16, for TensorFlow on processors that do so faster (AVX512-BF16, AMX).

Measured on 2 cores with AVX512-BF16, CPU milliseconds an image in a session, with decoding, float32 against bfloat16:

                   one image    batch of 8    scores differ by
    MobileNetV2    11.5 | 10.1    7.8 | 5.5    0.035 at most, on five photographs, which keep their labels
    InceptionV3    66.0 | 38.8    57  | 32     0.013 (untrained weights)

It pays for InceptionV3, and hardly for MobileNetV2, whose depthwise convolutions gain nothing. A processor without
bfloat16 emulates it, slower than float32. So it has to be asked for: `--precision bfloat16`.
"""

from typing import Any

import keras


def in_bfloat16(network: keras.Model) -> keras.Model:
    """A copy of `network` with bfloat16 weights and activations, but for the classifier; its ends stay float32."""
    classifier = network.layers[-1]

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer is not classifier and not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "bfloat16"
        return type(layer).from_config(config)

    def call(layer: keras.layers.Layer, *args: Any, **_: Any) -> Any:
        return layer(*args)

    lowered = keras.models.clone_model(network, clone_function=clone, call_function=call)
    for layer, source in zip(lowered.layers, network.layers, strict=True):
        if source.weights:
            layer.set_weights(source.get_weights())
    return lowered
