"""With MobileNetV2's real weights, photographs get their names. Without them these tests are skipped."""

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from imagenet_export import network
from imagenet_export.publishing import ModelFolder
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export import images
from tests.imagenet_export.networks import Exported, export, kept_folder, served

pytestmark = pytest.mark.slow

LABELS: list[str] = json.loads((images.REPOSITORY / "data" / "imagenet_labels.json").read_text(encoding="utf-8"))
PHOTOGRAPHS = images.REPOSITORY.parent / "shared" / "images"

# From the SOURCE.md beside the photographs.
SUBJECTS = {
    "cat_720p.jpg": "Egyptian cat",
    "parrot.jpg": "macaw",
    "hot_dog.jpg": "hotdog",
    "chickadee.jpg": "chickadee",
}


@pytest.fixture(scope="module")
def mobilenet(imagenet_weights: Path) -> Iterator[Exported]:
    models = kept_folder(MOBILENET_V2, "real")
    assert export(MOBILENET_V2, models, weights=imagenet_weights) == 0
    newest = ModelFolder(models, MOBILENET_V2.name).newest()
    assert newest is not None
    original = network.constructor(MOBILENET_V2)(weights=None)
    original.load_weights(imagenet_weights / MOBILENET_V2.weights_file)
    with served(newest.path) as model:
        yield Exported(MOBILENET_V2, original, newest.path, model)


def photograph(name: str) -> bytes:
    if not (PHOTOGRAPHS / name).is_file():
        pytest.skip(f"no photographs beside the repository, in {PHOTOGRAPHS.name}/")
    return (PHOTOGRAPHS / name).read_bytes()


def name_of(model: Exported, image: bytes) -> str:
    return LABELS[int(model.served.predict([image])[0].argmax())]


def test_the_cat_of_the_project_is_an_egyptian_cat(mobilenet: Exported) -> None:
    scores = mobilenet.served.predict([images.CAT.read_bytes()])[0]
    assert LABELS[scores.argmax()] == "Egyptian cat"
    assert scores.max() > 0.5


@pytest.mark.parametrize(("file", "subject"), SUBJECTS.items())
def test_photographs_get_their_names(mobilenet: Exported, file: str, subject: str) -> None:
    assert name_of(mobilenet, photograph(file)) == subject


@pytest.mark.parametrize("file", SUBJECTS)
def test_scores_are_those_of_pillow_and_keras_within_a_hundredth(mobilenet: Exported, file: str) -> None:
    image = photograph(file)
    pixels = images.resized(Image.fromarray(images.rgb(image)), MOBILENET_V2.input_size)
    expected = mobilenet.network.predict(keras.applications.mobilenet_v2.preprocess_input(pixels[None]), verbose=0)
    np.testing.assert_allclose(mobilenet.served.predict([image])[:, 1:], expected, atol=0.001)


def test_trained_weights_show_in_the_name_of_the_tensor(mobilenet: Exported) -> None:
    assert mobilenet.served.signatures["serving_default"].outputs["scores"].name == "scores:0"
