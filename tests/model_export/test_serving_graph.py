"""The scores of the exported models, and how they decode and resize images."""

from typing import Final

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from model_export import serving_graph
from tests.model_export import images
from tests.model_export.networks import ExportedModel, Scores

pytestmark = pytest.mark.timeout(300)  # the first test that uses a model may have to export it

READABLE: Final = images.readable()
UNREADABLE: Final = images.unreadable()


def keras_scores(model: ExportedModel, pixels: Scores) -> Scores:
    """The scores of the original network: pixels [N, size, size, 3] in 0…255 → scores [N, 1000]."""
    application = getattr(keras.applications, model.recipe.application.module)
    scores: Scores = model.network(application.preprocess_input(pixels.copy()), training=False).numpy()
    return scores


def test_scores_equal_those_of_keras_for_the_same_pixels(model: ExportedModel) -> None:
    four = images.four_different()
    size = model.recipe.pixels_size
    pixels = np.stack([serving_graph.resize(serving_graph.decode(image), size).numpy() for image in four])
    expected = keras_scores(model, pixels)
    np.testing.assert_allclose(model.predict(four)[:, 1:], expected, rtol=1e-3, atol=1e-6)


def test_scores_equal_those_of_keras_for_images_decoded_and_resized_by_pillow(model: ExportedModel) -> None:
    """An engine without TensorFlow prepares images with Pillow."""
    four = images.four_different()
    size = model.recipe.pixels_size
    pixels = np.stack([images.resized(Image.fromarray(images.rgb(image)), size) for image in four])
    np.testing.assert_allclose(model.predict(four)[:, 1:], keras_scores(model, pixels), atol=1e-3)


def test_the_weights_of_these_tests_distinguish_images(model: ExportedModel) -> None:
    """Otherwise the comparisons of scores would pass with any scores."""
    scores = model.predict(images.four_different())
    assert len(set(scores.argmax(axis=1))) >= 3
    assert (scores.max(axis=1) > 0.01).all()  # ten times the average score


def test_scores_do_not_depend_on_the_rest_of_the_batch(model: ExportedModel) -> None:
    four = images.four_different()
    batch = [four[index] for index in (2, 0, 3, 1, 0, 2)]
    alone = np.concatenate([model.predict([image]) for image in batch])
    np.testing.assert_allclose(model.predict(batch), alone, rtol=1e-3, atol=1e-6)


def test_the_background_scores_zero_and_all_scores_add_up_to_one(model: ExportedModel) -> None:
    scores = model.predict(images.four_different())
    assert scores.shape == (4, 1001)
    assert scores.dtype == np.float32
    assert (scores[:, 0] == 0.0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


def test_every_kind_of_jpeg_and_png_is_accepted(model: ExportedModel) -> None:
    scores = model.predict([*READABLE.values(), images.encoded(images.grey_of_16_bits(images.cat()), "PNG")])
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("image", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_anything_but_a_whole_jpeg_or_png_is_an_invalid_argument(model: ExportedModel, image: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.predict([image])


def test_one_invalid_image_fails_its_batch_but_not_the_next(model: ExportedModel) -> None:
    good = images.CAT.read_bytes()
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.predict([good, b"bad", good])
    assert model.predict([good]).shape == (1, 1001)


@pytest.mark.parametrize("image", READABLE.values(), ids=READABLE.keys())
def test_decoded_pixels_equal_those_of_pillow(image: bytes) -> None:
    """Alpha and EXIF orientation are ignored, as by `convert("RGB")`."""
    np.testing.assert_array_equal(serving_graph.decode(image).numpy(), images.rgb(image))


def test_the_upper_8_of_16_bits_are_used() -> None:
    grey = np.asarray(images.cat().convert("L"))
    pixels = serving_graph.decode(images.encoded(images.grey_of_16_bits(images.cat()), "PNG")).numpy()
    np.testing.assert_array_equal(pixels, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize("original", [(451, 300), (1280, 720), (31, 900), (100, 50), (1, 1)], ids=str)
def test_resizing_equals_the_bilinear_resize_of_pillow(original: tuple[int, int], size: int) -> None:
    image = images.cat().resize(original)
    resized = serving_graph.resize(tf.constant(np.asarray(image)), size).numpy()
    np.testing.assert_allclose(resized, images.resized(image, size), atol=0.01)
    rounded = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)
    np.testing.assert_allclose(resized, rounded, atol=1.1)  # Pillow rounds uint8 after each axis


def test_pixels_are_scaled_as_in_keras(model: ExportedModel) -> None:
    size = model.recipe.pixels_size
    image = images.cat().resize((size, size))  # already has the right size, so that it is only scaled
    scaled = serving_graph.network_input(model.recipe, tf.constant([images.encoded(image, "PNG")])).numpy()
    application = getattr(keras.applications, model.recipe.application.module)
    expected = application.preprocess_input(np.asarray(image, dtype=np.float32)[None])
    np.testing.assert_allclose(scaled, expected, atol=1e-6)
    assert scaled.min() < -0.5 < 0.5 < scaled.max() <= 1.0
