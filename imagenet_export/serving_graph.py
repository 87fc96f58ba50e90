"""Builds the served graph: encoded images in, scores out. Decoding, resizing and scaling are part of the graph.

Accepted: JPEG (grey, RGB, CMYK; baseline and progressive) and PNG (grey, palette, RGB, with alpha, 1 to 16 bits).
Alpha is dropped, not composited: the stored colours are used. The upper 8 of 16 bits are used. EXIF orientation is
ignored. A truncated file is rejected instead of being completed with grey. GIF, BMP, WebP and all other formats are
rejected, even if TensorFlow can decode them: the formats that it decodes vary between its releases, and all servers
must accept the same images.

An engine without TensorFlow gets the same pixels from Pillow. `convert("RGB")` decodes to the same pixels (except for
16-bit grey), and `resize(…, Resampling.BILINEAR)` of each band in mode "F" has the same result. From uint8, Pillow
would round after each axis, which changes single pixels by up to 1 and scores of photographs by up to 0.04. This graph
does not round.
"""

from collections.abc import Callable
from typing import Any, Final

import keras
import tensorflow as tf

from imagenet_export.architecture import Architecture
from imagenet_export.signature import IMAGE_BYTES, SCORES

JPEG_MAGIC: Final = b"\xff\xd8\xff"  # SOI and the first byte of any marker: ITU-T T.81, annex B
PNG_MAGIC: Final = b"\x89PNG"  # PNG specification, section 5.2
UNDECODABLE: Final = b"neither JPEG nor PNG"


def serving_function(architecture: Architecture, network: keras.Model) -> Any:
    """A `tf.function`: string [N] → {"scores": float32 [N, 1001]}."""

    def serve(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        classes = network(network_input(architecture, image_bytes), training=False)
        return {SCORES: add_background(classes)}

    return tf.function(serve, input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])


def network_input(architecture: Architecture, image_bytes: tf.Tensor) -> tf.Tensor:
    """Decode, resize and scale: string [N] → float32 [N, size, size, 3] in the range the network was trained on."""
    return keras_preprocessing(architecture)(pixels(architecture.input_size, image_bytes))


def pixels(size: int, image_bytes: tf.Tensor) -> tf.Tensor:
    """Decode and resize: string [N] → float32 [N, size, size, 3] in 0…255."""
    return tf.map_fn(
        lambda encoded: resize(decode(encoded), size),
        image_bytes,
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
    )


def keras_preprocessing(architecture: Architecture) -> Callable[[Any], Any]:
    """Return Keras's `preprocess_input` for this architecture: it scales pixels in 0…255."""
    found: Callable[[Any], Any] = getattr(keras.applications, architecture.name).preprocess_input
    return found


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """One image: string [] → uint8 [height, width, 3]. INVALID_ARGUMENT unless it is a whole JPEG or PNG.

    `decode_jpeg` also decodes PNG and, unlike `decode_image`, offers the accurate DCT that Pillow uses for JPEG.
    """
    is_accepted = _starts_with(encoded, JPEG_MAGIC) | _starts_with(encoded, PNG_MAGIC)
    return tf.io.decode_jpeg(
        tf.where(is_accepted, encoded, UNDECODABLE),
        channels=3,
        dct_method="INTEGER_ACCURATE",
        fancy_upscaling=True,
        try_recover_truncated=False,
    )


def _starts_with(encoded: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(encoded, 0, len(magic)) == magic


def resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """One image: uint8 [height, width, 3] → float32 [size, size, 3] in 0…255. The aspect ratio is not kept."""
    return tf.image.resize(image, [size, size], method="bilinear", antialias=True)


def add_background(classes: tf.Tensor) -> tf.Tensor:
    """Float32 [N, 1000] → [N, 1001]: the first column is 0.0, since Keras's networks have no class `background`."""
    return tf.pad(classes, [[0, 0], [1, 0]])
