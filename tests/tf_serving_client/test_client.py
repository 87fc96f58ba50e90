"""The client with the real model server: predictions, every kind of error, and no import of TensorFlow."""

import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import grpc.aio
import pytest
import pytest_asyncio

from harness.process import PYTHON, ROOT, free_port
from harness.stack import Stack
from tests.images import encode_image
from tf_serving_client import (
    BadLabels,
    InputRejected,
    ModelContract,
    ModelMismatch,
    ModelStatus,
    ModelTooSlow,
    ModelUnavailable,
    Prediction,
    ServedClassifier,
    open_channel,
    read_labels,
)
from tf_serving_client.predict import Predict

LABELS: Final = read_labels(ROOT / "data" / "imagenet_labels.json")
SECOND: Final = timedelta(seconds=1)
CAT: Final = (ROOT / "data" / "cat.jpg").read_bytes()


@pytest_asyncio.fixture
async def channel(stack: Stack) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(stack.settings["FAST_MODEL_ADDRESS"]) as channel:
        yield channel


def classifier(
    channel: grpc.aio.Channel,
    model: str = "mobilenet_v2",
    labels: tuple[str, ...] = LABELS,
) -> ServedClassifier:
    contract = ModelContract(model, "address", labels=labels)
    return ServedClassifier(channel, contract, CAT, 20 * SECOND)


async def test_a_batch_has_the_same_predictions_as_its_images_one_by_one(channel: grpc.aio.Channel, cat: bytes) -> None:
    images = [cat, encode_image(), cat, encode_image("L", file_format="PNG")]
    batch = await classifier(channel).classify(images)
    singles = [(await classifier(channel).classify([image]))[0] for image in images]
    assert [prediction.label for prediction in batch] == [prediction.label for prediction in singles]
    assert [p.score for p in batch] == pytest.approx([p.score for p in singles], abs=1e-4)
    assert batch[0].version >= 1
    assert [score for _, score in batch[0].top_k] == sorted((s for _, s in batch[0].top_k), reverse=True)


async def test_an_unreadable_image_is_rejected_with_its_whole_batch(channel: grpc.aio.Channel, cat: bytes) -> None:
    for images in ([b"no image"], [b""], [cat[:5000]], [cat, cat[:5000]]):
        with pytest.raises(InputRejected):
            await classifier(channel).classify(images)


async def test_a_model_that_the_server_does_not_have_is_a_mismatch(channel: grpc.aio.Channel, cat: bytes) -> None:
    with pytest.raises(ModelMismatch, match="the server has no model named 'resnet'"):
        await classifier(channel, model="resnet").classify([cat])


async def test_a_model_is_immediately_unavailable_if_no_server_listens(cat: bytes) -> None:
    async with open_channel(f"127.0.0.1:{free_port()}") as channel:
        with pytest.raises(ModelUnavailable):
            await classifier(channel).classify([cat])
        assert not await ModelStatus(channel, "mobilenet_v2", SECOND).is_available()


async def test_a_response_after_the_deadline_is_too_slow(channel: grpc.aio.Channel, cat: bytes) -> None:
    served = await classifier(channel).check.check()
    with pytest.raises(ModelTooSlow):
        await Predict(channel, "mobilenet_v2", SECOND / 1000).scores(served.signature, [cat] * 8)


async def test_a_wrong_number_of_labels_is_a_mismatch(channel: grpc.aio.Channel, cat: bytes) -> None:
    with pytest.raises(ModelMismatch, match="returns 1001 scores, and there are 10 labels"):
        await classifier(channel, labels=LABELS[:10]).classify([cat])


async def test_only_a_served_model_is_available(channel: grpc.aio.Channel) -> None:
    assert await ModelStatus(channel, "mobilenet_v2", SECOND).is_available()
    assert not await ModelStatus(channel, "resnet", SECOND).is_available()


async def test_the_description_shows_whether_the_weights_are_untrained(stack: Stack) -> None:
    async with open_channel(f"127.0.0.1:{stack.accurate_port}") as channel:
        description = await classifier(channel, "inception_v3").check.check()
        assert description.version >= 1
        newest = max((stack.models / "inception_v3").glob("[0-9]*"), key=lambda path: int(path.name))
        record = (newest / "assets.extra" / "export.json").read_text("utf-8")
        assert description.is_untrained == ('"untrained"' in record)


def test_too_few_scores_and_nan_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores for 3 labels"):
        Prediction.from_scores("m", 1, [0.5, 0.5], ["a", "b", "c"])
    with pytest.raises(ValueError, match="not finite"):
        Prediction.from_scores("m", 1, [0.5, float("nan"), 0.1], ["a", "b", "c"])


def test_logits_get_a_softmax_without_overflow() -> None:
    prediction = Prediction.from_scores("m", 1, [1000.0, 1000.0, 999.0, -1000.0], list("abcd"), are_logits=True)
    assert [label for label, _ in prediction.top_k] == list("abcd")
    assert [score for _, score in prediction.top_k] == pytest.approx([0.422319, 0.422319, 0.155362, 0.0], abs=1e-6)


def test_a_prediction_holds_the_five_best_labels_best_first() -> None:
    prediction = Prediction.from_scores("m", 7, [0.1, 0.3, 0.05, 0.2, 0.15, 0.2], list("abcdef"))
    assert prediction.label == "b"
    assert prediction.top_k == (("b", 0.3), ("d", 0.2), ("f", 0.2), ("e", 0.15), ("a", 0.1))
    assert prediction.as_answer()["version"] == 7


@pytest.mark.parametrize("content", ["", "{}", "[]", "[1, 2]", '"a"'])
def test_invalid_labels_are_refused_with_the_name_of_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content)
    with pytest.raises(BadLabels, match=r"labels\.json"):
        read_labels(path)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "max_mb"), [("tf_serving_client", 60), ("proxy.app", 90), ("backend.worker", 70)])
def test_importing_a_package_does_not_load_tensorflow(module: str, max_mb: int) -> None:
    """TensorFlow's runtime alone would take over 400 MB."""
    program = f"""
import sys
import {module}
assert "tensorflow" not in sys.modules and "tensorflow.python" not in sys.modules, sorted(sys.modules)
status = open("/proc/self/status").read()
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""
    result = subprocess.run([PYTHON, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(result.stdout) < max_mb


@pytest.mark.slow
def test_tensorflow_can_still_be_imported_afterwards() -> None:
    program = "import tf_serving_client, tensorflow; print(tensorflow.constant(2) + 2)"
    result = subprocess.run([PYTHON, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "4" in result.stdout
