"""Builds the served graph: encoded images in, scores out. Decoding, resizing and scaling are part of the graph.
Texts and bytes reach the source as they are.

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

from typing import Any, Final

import tensorflow as tf

from model_export import scaling
from model_export.recipe import Recipe, resized_side
from model_export.signature import INPUTS, SCORES
from model_export.source import Call, Source

JPEG_MAGIC: Final = b"\xff\xd8\xff"  # SOI and the first byte of any marker: ITU-T T.81, annex B
PNG_MAGIC: Final = b"\x89PNG"  # PNG specification, section 5.2
UNDECODABLE: Final = b"neither JPEG nor PNG"


def serving_function(recipe: Recipe, source: Source, classes: int) -> Any:
    """A `tf.function`: string [N] → {"scores": float32 [N, L]}, where `classes` is what the source returns."""

    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {SCORES: scores(recipe, _batched(source, classes), network_input(recipe, inputs), classes)}

    spec = tf.TensorSpec([None], tf.string, name=INPUTS[recipe.input])
    return tf.function(serve, input_signature=[spec], autograph=False)


def network_input(recipe: Recipe, inputs: tf.Tensor) -> tf.Tensor:
    """String [N] → what the source takes: scaled images in its layout; texts and bytes as they are."""
    if recipe.input != "image":
        return inputs
    return prepare(recipe, pixels(recipe, inputs))


def pixels(recipe: Recipe, image_bytes: tf.Tensor) -> tf.Tensor:
    """Decode and resize: string [N] → float32 [N, size, size, 3] in 0…255."""
    size = recipe.pixels_size
    resize_to = crop if recipe.resize == "crop" else resize
    return tf.map_fn(
        lambda encoded: resize_to(decode(encoded), size),
        image_bytes,
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
    )


def prepare(recipe: Recipe, pixels: tf.Tensor) -> tf.Tensor:
    """Scale, and put the dimensions into the source's order."""
    scaled = scaling.scale(recipe.scale, pixels)
    return tf.transpose(scaled, [0, 3, 1, 2]) if recipe.layout == "nchw" else scaled


def scores(recipe: Recipe, call: Call, network_input: tf.Tensor, classes: int) -> tf.Tensor:
    """The scores of the version, float32 [N, L], for the source's input."""
    outputs = call(network_input)
    outputs.set_shape([outputs.shape[0], classes])
    if recipe.scores == "logits":
        outputs = tf.nn.softmax(outputs)
    return add_background(outputs) if recipe.background else outputs


def _batched(source: Source, classes: int) -> Call:
    """A source that takes exactly one input is called once for each."""
    if not source.is_single:
        return source.call
    spec = tf.TensorSpec([classes], tf.float32)
    return lambda batch: tf.map_fn(lambda one: source.call(one[None])[0], batch, fn_output_signature=spec)


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


def crop(image: tf.Tensor, size: int) -> tf.Tensor:
    """One image: uint8 [height, width, 3] → float32 [size, size, 3] in 0…255, as torchvision's evaluation does it.

    That is `Resize(256)`, the shorter side, then `CenterCrop(224)`, here for any size in that proportion. Only the
    pixels within the crop are computed: an image of 1 × 65500 pixels would be resized to 256 × 16768000.
    """
    sides = tf.shape(image)[:2]
    target = resized_side(size)
    long_side = tf.cast(sides, tf.int64) * target // tf.cast(tf.reduce_min(sides), tf.int64)
    resized = tf.cast(tf.maximum(long_side, target), tf.float32)
    offset = tf.round((resized - size) / 2)
    images = tf.raw_ops.ScaleAndTranslate(
        images=tf.cast(image, tf.float32)[None],
        size=[size, size],
        scale=resized / tf.cast(sides, tf.float32),
        translation=-offset,
        kernel_type="triangle",
        antialias=True,
    )
    return images[0]


def add_background(classes: tf.Tensor) -> tf.Tensor:
    """Float32 [N, L] → [N, L + 1]: the first column is 0.0, since the source has no class `background`."""
    return tf.pad(classes, [[0, 0], [1, 0]])
