"""Two engines, one answer: OpenVINO on the IR, and TensorFlow on the SavedModel beside it."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino
import pytest
from PIL import Image

from harness.models import PHOTOGRAPHS, has_trained, has_trained_mobilenet
from local_tf_serving.errors import Code, ServingError
from tests.imagenet_export import images
from tests.local_tf_serving.exported import Model, loaded, newest, strings

ALIKE = 0.01
pytestmark = pytest.mark.timeout(300)  # the first test to ask for a model may have to export it
computes_in_bfloat16 = pytest.mark.skipif(
    "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"), reason="this processor can't"
)


@pytest.fixture(scope="module", params=["mobilenet_v2", "inception_v3"])
def version(request: pytest.FixtureRequest, models_dir: Path) -> Path:
    return newest(models_dir, request.param)


@pytest.fixture(scope="module")
def tensorflow(version: Path) -> Iterator[Model]:
    with loaded(version, "tensorflow") as model:
        yield model


@pytest.fixture(scope="module")
def on_openvino(version: Path) -> Iterator[Model]:
    with loaded(version, "openvino") as model:
        yield model


@pytest.fixture(scope="module", params=["openvino", "tensorflow"])
def either(request: pytest.FixtureRequest, models_dir: Path) -> Iterator[Model]:
    with loaded(newest(models_dir, "mobilenet_v2"), request.param) as model:
        yield model


def enlarged_and_turned(photograph: Path, times: int) -> bytes:
    with Image.open(photograph) as image:
        large = image.convert("RGB").resize((image.width * times, image.height * times), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    large.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_photographs_get_the_same_label_and_scores(tensorflow: Model, on_openvino: Model, photograph: Path) -> None:
    (expected,) = tensorflow.ask([photograph.read_bytes()])
    (scores,) = on_openvino.ask([photograph.read_bytes()])
    assert scores.argmax() == expected.argmax()
    np.testing.assert_allclose(scores, expected, atol=ALIKE)


@pytest.mark.parametrize("times", [2, 4])
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_large_photographs_do_too(
    tensorflow: Model, on_openvino: Model, version: Path, photograph: Path, times: int
) -> None:
    """OpenVINO decodes a part of their pixels (`pixels.ENOUGH`), which untrained weights are not made to overlook."""
    large = enlarged_and_turned(photograph, times)
    (expected,), (scores,) = tensorflow.ask([large]), on_openvino.ask([large])
    trained = has_trained(version.parent.name)
    np.testing.assert_allclose(scores, expected, atol=ALIKE if trained else 2 * ALIKE)
    if trained:
        assert scores.argmax() == expected.argmax()


@pytest.mark.parametrize("kind", images.readable())
def test_every_mode_gets_the_same_scores(tensorflow: Model, on_openvino: Model, kind: str) -> None:
    image = images.readable()[kind]
    np.testing.assert_allclose(on_openvino.ask([image]), tensorflow.ask([image]), atol=ALIKE)


def test_both_show_the_same_signature_and_say_whether_the_weights_are_trained(
    tensorflow: Model, on_openvino: Model, version: Path
) -> None:
    assert on_openvino.servable.signature_defs == tensorflow.servable.signature_defs
    name = on_openvino.servable.signature_defs["serving_default"].outputs["scores"].name
    trained = version.parent.name == "mobilenet_v2" and has_trained_mobilenet()
    assert name == ("scores:0" if trained else "scores_from_untrained_weights:0")


@computes_in_bfloat16
@pytest.mark.parametrize("name", ["mobilenet_v2", "inception_v3"])
def test_bfloat16_changes_scores_a_little_and_no_label(models_dir: Path, name: str) -> None:
    if not has_trained(name):
        pytest.skip("the label of untrained weights means nothing")
    version = newest(models_dir, name)
    photographs = [path.read_bytes() for path in PHOTOGRAPHS] + [images.CAT.read_bytes()]
    with loaded(version, "tensorflow") as reference, loaded(version, "openvino", "bfloat16") as model:
        expected, scores = reference.ask(photographs), model.ask(photographs)
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert 1e-4 < np.abs(scores - expected).max() < 0.06


@computes_in_bfloat16
def test_bfloat16_changes_the_scores_of_the_accurate_model_a_little(models_dir: Path) -> None:
    version = newest(models_dir, "inception_v3")
    photographs = [path.read_bytes() for path in PHOTOGRAPHS]
    with loaded(version, "tensorflow") as reference, loaded(version, "openvino", "bfloat16") as model:
        np.testing.assert_allclose(model.ask(photographs), reference.ask(photographs), atol=0.06)


def test_each_image_of_a_request_gets_its_own_scores_whatever_their_number(either: Model) -> None:
    four = images.four_unlike()
    alone = np.concatenate([either.ask([image]) for image in four])
    np.testing.assert_allclose(either.ask(four * 5), np.tile(alone, (5, 1)), atol=1e-4)
    assert len({row.tobytes() for row in alone}) == len(four)


def test_no_image_gets_no_scores(on_openvino: Model) -> None:
    """TensorFlow says INVALID_ARGUMENT for MobileNetV2, whose fused operations can't take an empty batch."""
    assert on_openvino.ask([]).shape == (0, 1001)


def test_many_threads_each_get_their_own_answer(either: Model) -> None:
    four = images.four_unlike()
    alone = [either.ask([image])[0] for image in four]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda turn: either.ask([four[turn % 4]])[0], range(64)))
    for turn, answer in enumerate(answers):
        np.testing.assert_allclose(answer, alone[turn % 4], atol=1e-4)


@pytest.mark.parametrize("image", images.unreadable().values(), ids=images.unreadable())
def test_one_bad_image_among_good_ones_is_an_invalid_argument(either: Model, image: bytes) -> None:
    good = images.CAT.read_bytes()
    with pytest.raises(ServingError) as caught:
        either.ask([good, good, image, good])
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert either.ask([good]).shape == (1, 1001)


@pytest.mark.parametrize("shape", [(), (1, 1)], ids=["a scalar", "a matrix"])
def test_images_that_are_no_vector_are_an_invalid_argument(either: Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(ServingError) as caught:
        either.feed(strings([images.CAT.read_bytes()]).reshape(shape))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_deadline_ends_a_request_and_harms_no_other(either: Model) -> None:
    image = images.CAT.read_bytes()
    (expected,) = either.ask([image])
    with pytest.raises(ServingError) as caught:
        either.ask([image] * 64, timeout=0.02)
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    np.testing.assert_allclose(either.ask([image] * 4), np.tile(expected, (4, 1)), atol=1e-4)


def test_a_deadline_that_is_far_off_is_no_deadline(either: Model) -> None:
    assert either.ask([images.CAT.read_bytes()], timeout=300 * 24 * 3600.0).shape == (1, 1001)
