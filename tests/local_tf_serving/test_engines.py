"""Both engines give the same scores: OpenVINO on the IR, and TensorFlow on the SavedModel beside it."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import openvino
import pytest
from PIL import Image

from harness.models import PHOTOGRAPHS, has_trained
from local_tf_serving.errors import Code, ServingError
from tests.local_tf_serving.loaded_model import LoadedModel, loaded_model, newest_version, string_array
from tests.model_export import images

TOLERANCE: Final = 0.01
BFLOAT16_TOLERANCE: Final = 0.06
READABLE: Final = images.readable()
UNREADABLE: Final = images.unreadable()
pytestmark = pytest.mark.timeout(300)  # the first test may have to export the models

Load = Callable[..., LoadedModel]


@pytest.fixture(scope="module")
def load(models_dir: Path) -> Iterator[Load]:
    """Loads a model, named by its name, an engine and a precision, when it is first needed."""
    with ExitStack() as models:
        yield cache(
            lambda name, *options: models.enter_context(loaded_model(newest_version(models_dir, name), *options))
        )


@pytest.fixture(params=["mobilenet_v2", "inception_v3"], scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tensorflow_model(load: Load, name: str) -> LoadedModel:
    return load(name, "tensorflow")


@pytest.fixture
def openvino_model(load: Load, name: str) -> LoadedModel:
    return load(name, "openvino")


@pytest.fixture(params=["openvino", "tensorflow"])
def mobilenet(request: pytest.FixtureRequest, load: Load) -> LoadedModel:
    return load("mobilenet_v2", request.param)


@cache
def enlarged_and_rotated(photograph: Path, factor: int) -> bytes:
    with Image.open(photograph) as image:
        large = image.convert("RGB").resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    large.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_photographs_get_the_same_label_and_scores(
    tensorflow_model: LoadedModel, openvino_model: LoadedModel, photograph: Path
) -> None:
    (expected,) = tensorflow_model.scores([photograph.read_bytes()])
    (scores,) = openvino_model.scores([photograph.read_bytes()])
    assert scores.argmax() == expected.argmax()
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_large_photographs_get_the_same_label_and_scores(
    tensorflow_model: LoadedModel, openvino_model: LoadedModel, name: str, photograph: Path, factor: int
) -> None:
    """OpenVINO's engine decodes them at a lower resolution, to which untrained weights are less robust."""
    large = enlarged_and_rotated(photograph, factor)
    (expected,), (scores,) = tensorflow_model.scores([large]), openvino_model.scores([large])
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE if has_trained(name) else 2 * TOLERANCE)
    if has_trained(name):
        assert scores.argmax() == expected.argmax()


@pytest.mark.parametrize("image", READABLE.values(), ids=READABLE)
def test_every_image_mode_gets_the_same_scores(
    tensorflow_model: LoadedModel, openvino_model: LoadedModel, image: bytes
) -> None:
    np.testing.assert_allclose(openvino_model.scores([image]), tensorflow_model.scores([image]), atol=TOLERANCE)


def test_both_engines_have_the_same_signature_which_shows_whether_the_weights_are_trained(
    tensorflow_model: LoadedModel, openvino_model: LoadedModel, name: str
) -> None:
    assert openvino_model.servable.signature_defs == tensorflow_model.servable.signature_defs
    output = openvino_model.servable.signature_defs["serving_default"].outputs["scores"].name
    assert output == ("scores:0" if has_trained(name) else "scores_from_untrained_weights:0")


@pytest.mark.skipif(
    "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"), reason="the CPU has no bfloat16"
)
def test_bfloat16_changes_scores_a_little_and_no_label(load: Load, tensorflow_model: LoadedModel, name: str) -> None:
    photographs = [path.read_bytes() for path in [*PHOTOGRAPHS, images.CAT]]
    expected = tensorflow_model.scores(photographs)
    scores = load(name, "openvino", "bfloat16").scores(photographs)
    np.testing.assert_allclose(scores, expected, atol=BFLOAT16_TOLERANCE)
    if has_trained(name):
        assert (scores.argmax(axis=1) == expected.argmax(axis=1)).all()
        assert 1e-4 < np.abs(scores - expected).max() < BFLOAT16_TOLERANCE


def test_each_image_of_a_batch_gets_its_own_scores(mobilenet: LoadedModel) -> None:
    four = images.four_different()
    expected = np.concatenate([mobilenet.scores([image]) for image in four])
    np.testing.assert_allclose(mobilenet.scores(four * 5), np.tile(expected, (5, 1)), atol=1e-4)
    assert len({row.tobytes() for row in expected}) == len(four)


def test_an_empty_batch_gets_no_scores(openvino_model: LoadedModel) -> None:
    """TensorFlow fails with INVALID_ARGUMENT for MobileNetV2, whose fused ops do not accept an empty batch."""
    assert openvino_model.scores([]).shape == (0, 1001)


def test_concurrent_threads_get_their_own_scores(mobilenet: LoadedModel) -> None:
    four = images.four_different()
    expected = [mobilenet.scores([image])[0] for image in four]
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda number: mobilenet.scores([four[number % 4]])[0], range(64)))
    for number, scores in enumerate(results):
        np.testing.assert_allclose(scores, expected[number % 4], atol=1e-4)


@pytest.mark.parametrize("image", UNREADABLE.values(), ids=UNREADABLE)
def test_one_invalid_image_in_a_batch_is_an_invalid_argument(mobilenet: LoadedModel, image: bytes) -> None:
    valid = images.CAT.read_bytes()
    with pytest.raises(ServingError) as caught:
        mobilenet.scores([valid, valid, image, valid])
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert mobilenet.scores([valid]).shape == (1, 1001)


@pytest.mark.parametrize("shape", [(), (1, 1)], ids=["a scalar", "a matrix"])
def test_an_input_that_is_not_a_vector_is_an_invalid_argument(mobilenet: LoadedModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ServingError) as caught:
        mobilenet.run(string_array([images.CAT.read_bytes()]).reshape(shape))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_timeout_ends_a_request_and_does_not_affect_the_next(mobilenet: LoadedModel) -> None:
    image = images.CAT.read_bytes()
    (expected,) = mobilenet.scores([image])
    with pytest.raises(ServingError) as caught:
        mobilenet.scores([image] * 64, timeout=timedelta(milliseconds=20))
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    np.testing.assert_allclose(mobilenet.scores([image] * 4), np.tile(expected, (4, 1)), atol=1e-4)


def test_a_timeout_of_many_days_is_accepted(mobilenet: LoadedModel) -> None:
    assert mobilenet.scores([images.CAT.read_bytes()], timeout=timedelta(days=300)).shape == (1, 1001)
