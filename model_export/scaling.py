"""Scales pixels in 0…255 to the range that a network was trained on, by the rules of Keras's `preprocess_input`.

    tf       -1…1
    torch    0…1, then minus the mean and divided by the standard deviation of ImageNet, per channel
    caffe    BGR instead of RGB, minus the mean of ImageNet, per channel
    0..1     0…1
    none     0…255: the network scales, as the EfficientNets, MobileNetV3 and ConvNeXt do

`scale` is for graphs. `factors` describes the same for OpenVINO's preprocessing, and `expected` is written
independently in NumPy, to verify both.
"""

from typing import Any, Final

import numpy as np
import tensorflow as tf

from model_export.applications import Scale

MEAN: Final = (0.485, 0.456, 0.406)
DEVIATION: Final = (0.229, 0.224, 0.225)
CAFFE_MEAN: Final = (103.939, 116.779, 123.68)  # BGR

Pixels = np.ndarray[Any, np.dtype[np.float32]]


def scale(mode: Scale, pixels: tf.Tensor) -> tf.Tensor:
    """RGB float32 [N, height, width, 3] in 0…255 → the same shape, scaled."""
    match mode:
        case "tf":
            return pixels / 127.5 - 1.0
        case "torch":
            return (pixels / 255.0 - tf.constant(MEAN)) / tf.constant(DEVIATION)
        case "caffe":
            return tf.reverse(pixels, [-1]) - tf.constant(CAFFE_MEAN)
        case "0..1":
            return pixels / 255.0
        case "none":
            return pixels


def factors(mode: Scale) -> tuple[list[float], list[float]]:
    """The mean to subtract and the divisor, of pixels in 0…255, per channel in the order that the network expects."""
    match mode:
        case "tf":
            return [127.5] * 3, [127.5] * 3
        case "torch":
            return [255.0 * mean for mean in MEAN], [255.0 * deviation for deviation in DEVIATION]
        case "caffe":
            return list(CAFFE_MEAN), [1.0] * 3
        case "0..1":
            return [0.0] * 3, [255.0] * 3
        case "none":
            return [0.0] * 3, [1.0] * 3


def expected(mode: Scale, pixels: Pixels) -> Pixels:
    mean, divisor = (np.array(values) for values in factors(mode))
    ordered = pixels[..., ::-1] if mode == "caffe" else pixels
    scaled: Pixels = ((ordered - mean) / divisor).astype(np.float32)
    return scaled
