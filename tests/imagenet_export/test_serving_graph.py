"""Encoded images in, scores out: what the exported models compute."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from imagenet_export import serving_graph
from tests.imagenet_export import images
from tests.imagenet_export.networks import Exported, Scores

pytestmark = pytest.mark.timeout(300)  # the first test to ask for a model may have to export it

READABLE = images.readable()
UNREADABLE = images.unreadable()


def keras_scores(exported: Exported, pixels: Scores) -> Scores:
    """Keras's own answer: pixels [N, size, size, 3] in 0…255 → scores [N, 1000]."""
    own = getattr(keras.applications, exported.architecture.name)
    scores: Scores = exported.network.predict(own.preprocess_input(pixels.copy()), verbose=0)
    return scores


def test_scores_are_keras_own_for_the_same_pixels(exported: Exported) -> None:
    four = images.four_unlike()
    size = exported.architecture.input_size
    pixels = np.stack([serving_graph.resized(serving_graph.decoded(image), size).numpy() for image in four])
    expected = keras_scores(exported, pixels)
    np.testing.assert_allclose(exported.served.predict(four)[:, 1:], expected, rtol=1e-3, atol=1e-6)


def test_scores_are_keras_own_for_an_image_decoded_and_resized_by_pillow(exported: Exported) -> None:
    """So an engine without TensorFlow can prepare images with Pillow."""
    four = images.four_unlike()
    size = exported.architecture.input_size
    pixels = np.stack([images.resized(Image.fromarray(images.rgb(image)), size) for image in four])
    np.testing.assert_allclose(exported.served.predict(four)[:, 1:], keras_scores(exported, pixels), atol=1e-3)


def test_the_test_weights_tell_images_apart(exported: Exported) -> None:
    """Else the comparisons here would hold for anything."""
    scores = exported.served.predict(images.four_unlike())
    assert len(set(scores.argmax(axis=1))) >= 3
    assert (scores.max(axis=1) > 0.01).all()  # ten times what chance gives


def test_a_batch_gives_each_image_what_it_gets_alone(exported: Exported) -> None:
    four = images.four_unlike()
    batch = [four[index] for index in (2, 0, 3, 1, 0, 2)]
    alone = np.concatenate([exported.served.predict([image]) for image in batch])
    np.testing.assert_allclose(exported.served.predict(batch), alone, rtol=1e-3, atol=1e-6)


def test_the_background_is_never_seen_and_the_rest_is_a_distribution(exported: Exported) -> None:
    scores = exported.served.predict(images.four_unlike())
    assert scores.shape == (4, 1001)
    assert scores.dtype == np.float32
    assert (scores[:, 0] == 0.0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


def test_every_kind_of_jpeg_and_png_is_read(exported: Exported) -> None:
    scores = exported.served.predict([*READABLE.values(), images.encoded(images.of_16_bits(images.cat()), "PNG")])
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("image", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_not_a_whole_jpeg_or_png_is_an_invalid_argument(exported: Exported, image: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        exported.served.predict([image])


def test_one_bad_image_fails_the_batch_and_leaves_the_model_well(exported: Exported) -> None:
    good = images.CAT.read_bytes()
    with pytest.raises(tf.errors.InvalidArgumentError):
        exported.served.predict([good, b"bad", good])
    assert exported.served.predict([good]).shape == (1, 1001)


@pytest.mark.parametrize("image", READABLE.values(), ids=READABLE.keys())
def test_pixels_are_those_pillow_decodes(image: bytes) -> None:
    """Alpha and EXIF orientation are disregarded, as they are by `convert("RGB")`."""
    np.testing.assert_array_equal(serving_graph.decoded(image).numpy(), images.rgb(image))


def test_of_16_bits_the_upper_8_are_used() -> None:
    grey = np.asarray(images.cat().convert("L"))
    pixels = serving_graph.decoded(images.encoded(images.of_16_bits(images.cat()), "PNG")).numpy()
    np.testing.assert_array_equal(pixels, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize("original", [(451, 300), (1280, 720), (31, 900), (100, 50), (1, 1)], ids=str)
def test_resizing_is_pillows_bilinear(original: tuple[int, int], size: int) -> None:
    image = images.cat().resize(original)
    resized = serving_graph.resized(tf.constant(np.asarray(image)), size).numpy()
    np.testing.assert_allclose(resized, images.resized(image, size), atol=0.01)
    rounded = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)
    np.testing.assert_allclose(resized, rounded, atol=1.1)  # of uint8, Pillow rounds after each axis


def test_images_are_scaled_as_keras_scales_them(exported: Exported) -> None:
    size = exported.architecture.input_size
    image = images.cat().resize((size, size))  # of the right size already: nothing but scaling is left
    seen = serving_graph.inputs(exported.architecture, tf.constant([images.encoded(image, "PNG")])).numpy()
    own = getattr(keras.applications, exported.architecture.name)
    expected = own.preprocess_input(np.asarray(image, dtype=np.float32)[None])
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    assert seen.min() < -0.5 < 0.5 < seen.max() <= 1.0
