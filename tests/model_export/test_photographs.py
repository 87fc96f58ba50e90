"""MobileNetV2 with ImageNet weights classifies photographs correctly. Without the weights, these tests are skipped."""

import json
from typing import Final

import keras
import numpy as np
import pytest
from PIL import Image

from harness.models import SHARED
from harness.process import ROOT
from tests.model_export import images
from tests.model_export.networks import ExportedModel
from tests.model_export.recipes import MOBILENET_V2

LABELS: Final[list[str]] = json.loads((ROOT / "data" / "imagenet_labels.json").read_text(encoding="utf-8"))
PHOTOGRAPHS: Final = SHARED / "images"

# From the photographs' SOURCE.md.
SUBJECTS: Final = {
    "cat_720p.jpg": "Egyptian cat",
    "parrot.jpg": "macaw",
    "hot_dog.jpg": "hotdog",
    "chickadee.jpg": "chickadee",
}


def photograph(name: str) -> bytes:
    if not (PHOTOGRAPHS / name).is_file():
        pytest.skip(f"needs {name} in {PHOTOGRAPHS}")
    return (PHOTOGRAPHS / name).read_bytes()


def test_the_cat_of_the_project_is_an_egyptian_cat(mobilenet: ExportedModel) -> None:
    scores = mobilenet.predict([images.CAT.read_bytes()])[0]
    assert LABELS[scores.argmax()] == "Egyptian cat"
    assert scores.max() > 0.5


@pytest.mark.parametrize(("file", "subject"), SUBJECTS.items())
def test_photographs_get_the_label_of_their_subject(mobilenet: ExportedModel, file: str, subject: str) -> None:
    scores = mobilenet.predict([photograph(file)])[0]
    assert LABELS[scores.argmax()] == subject


@pytest.mark.parametrize("file", SUBJECTS)
def test_scores_equal_those_of_keras_for_pixels_from_pillow(mobilenet: ExportedModel, file: str) -> None:
    image = photograph(file)
    pixels = images.resized(Image.fromarray(images.rgb(image)), MOBILENET_V2.pixels_size)
    network_input = keras.applications.mobilenet_v2.preprocess_input(pixels[None])
    expected = mobilenet.network(network_input, training=False)
    np.testing.assert_allclose(mobilenet.predict([image])[:, 1:], expected, atol=0.001)


def test_trained_weights_are_recognized_by_the_name_of_the_tensor(mobilenet: ExportedModel) -> None:
    assert mobilenet.signatures["serving_default"].outputs["scores"].name == "scores:0"
