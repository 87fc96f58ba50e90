"""Converts a network to bfloat16, for TensorFlow on processors that compute faster in it (AVX512-BF16, AMX).

Measured on 2 cores with AVX512-BF16: CPU milliseconds per image in a session, including decoding, float32 | bfloat16:

                   one image    batch of 8    largest difference of a score
    MobileNetV2    11.5 | 10.1    7.8 | 5.5    0.035, on five photographs, whose labels do not change
    InceptionV3    66.0 | 38.8    57  | 32     0.013 (untrained weights)

InceptionV3 becomes much faster. MobileNetV2 becomes only a little faster, because its depthwise convolutions do not
become faster at all. On processors without bfloat16, TensorFlow emulates it, which is slower than float32, so it is
used only on request: `--precision bfloat16`.
"""

import keras

from model_export.fusing import call_without_mask, set_weights


def convert_to_bfloat16(network: keras.Model) -> keras.Model:
    """Return a copy of `network` with bfloat16 weights and activations. Its input and its classifier stay float32."""
    classifier = network.layers[-1]

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer is not classifier and not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "bfloat16"
        return type(layer).from_config(config)

    converted = keras.models.clone_model(network, clone_function=clone, call_function=call_without_mask)
    for layer, source in zip(converted.layers, network.layers, strict=True):
        if source.weights:
            set_weights(layer, source.get_weights())
    return converted
