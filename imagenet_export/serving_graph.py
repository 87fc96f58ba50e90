"""Encoded images in, scores out: everything between lives in the model, so every client sends the same bytes.

What is read: JPEG (grey, RGB, CMYK; baseline and progressive) and PNG (grey, palette, RGB, with alpha, 1 to 16 bits).
Alpha is dropped, not composited: the colours that are stored count. Of 16 bits the upper 8 count. GIF, BMP, WebP and
anything else is refused, though some releases of TensorFlow could read it: all servers accept the same images.
A file that ends early is refused, not completed with grey. EXIF orientation is not applied.

An engine without TensorFlow gets the same pixels from Pillow: `convert("RGB")` decodes alike (but for grey of 16 bits),
and `resize(…, Resampling.BILINEAR)` resizes alike if it is given each band in mode "F". Given uint8, it rounds after
each axis; that moves single pixels by up to 1 and scores by up to 0.04 on photographs, so here nothing is rounded.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from imagenet_export.architecture import Architecture
from imagenet_export.signature import IMAGE_BYTES, SCORES

_JPEG = b"\xff\xd8\xff"  # SOI and the first byte of any marker: ITU-T T.81, annex B
_PNG = b"\x89PNG"  # PNG specification, section 5.2
_NEITHER = b"neither JPEG nor PNG"


def serving_function(architecture: Architecture, network: keras.Model) -> Any:
    """A `tf.function`: string [N] → {"scores": float32 [N, 1001]}."""

    def serve(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        classes = network(inputs(architecture, image_bytes), training=False)
        return {SCORES: with_background(classes)}

    return tf.function(serve, input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])


def inputs(architecture: Architecture, image_bytes: tf.Tensor) -> tf.Tensor:
    """What the network sees: string [N] → float32 [N, size, size, 3], scaled by Keras's own `preprocess_input`."""
    return preprocess(architecture)(pixels(architecture.input_size, image_bytes))


def pixels(size: int, image_bytes: tf.Tensor) -> tf.Tensor:
    """Decoded and resized: string [N] → float32 [N, size, size, 3] in 0…255."""
    return tf.map_fn(
        lambda encoded: resized(decoded(encoded), size),
        image_bytes,
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
    )


def preprocess(architecture: Architecture) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = getattr(keras.applications, architecture.name).preprocess_input
    return found


def decoded(encoded: tf.Tensor) -> tf.Tensor:
    """One image: string [] → uint8 [height, width, 3]. INVALID_ARGUMENT if it is not a whole JPEG or PNG.

    `decode_jpeg` reads PNG too, and unlike `decode_image` can be told to decode JPEG the accurate way, as Pillow does.
    """
    readable = _starts_with(encoded, _JPEG) | _starts_with(encoded, _PNG)
    return tf.io.decode_jpeg(
        tf.where(readable, encoded, _NEITHER),
        channels=3,
        dct_method="INTEGER_ACCURATE",
        fancy_upscaling=True,
        try_recover_truncated=False,
    )


def _starts_with(encoded: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(encoded, 0, len(magic)) == magic


def resized(image: tf.Tensor, size: int) -> tf.Tensor:
    """One image: uint8 [height, width, 3] → float32 [size, size, 3] in 0…255, the aspect ratio not kept."""
    return tf.image.resize(image, [size, size], method="bilinear", antialias=True)


def with_background(classes: tf.Tensor) -> tf.Tensor:
    """Float32 [N, 1000] → [N, 1001], the first column 0.0: Keras's networks know no class `background`."""
    return tf.pad(classes, [[0, 0], [1, 0]])
