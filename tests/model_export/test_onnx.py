"""ONNX files, which Keras writes: only this project's model server can serve them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import openvino
import pytest
import tensorflow as tf

from model_export.applications import Scale
from tests.model_export import own_models
from tests.model_export.own_models import SIZE, run_export
from tests.model_export.test_own_models import SCALED, assert_served_as, pixels, softmax

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*np.object:FutureWarning"),  # Keras's patch of tf2onnx
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # tf2onnx
]


def small(build: Callable[..., keras.Model], **options: Any) -> keras.Model:
    keras.utils.set_random_seed(3)
    return build(weights=None, input_shape=(SIZE, SIZE, 3), classes=10, classifier_activation=None, **options)


def channels_first(scale: Scale) -> keras.Model:
    """As PyTorch writes it: [N, 3, size, size]."""
    inputs = keras.Input((3, SIZE, SIZE))
    return keras.Model(inputs, own_models.network(scale=scale)(keras.layers.Permute((2, 3, 1))(inputs)))


FILES: Final[dict[str, tuple[Callable[[], keras.Model], Scale, str, str]]] = {
    "logits": (own_models.network, "tf", "nhwc", "logits"),
    "softmax": (lambda: own_models.network(is_softmax=True), "torch", "nhwc", "softmax"),
    "channels first": (lambda: channels_first("torch"), "torch", "nchw", "logits"),
    "channels first, caffe": (lambda: channels_first("caffe"), "caffe", "nchw", "logits"),
    "batch of one": (lambda: own_models.network(batch=1), "0..1", "nhwc", "logits"),
    "MobileNetV2": (lambda: small(keras.applications.MobileNetV2, alpha=0.35), "tf", "nhwc", "logits"),
}


@pytest.mark.parametrize("kind", FILES)
def test_an_onnx_file_is_served_with_its_own_scores(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build, scale, layout, returned = FILES[kind]
    write(build(), tmp_path / "own.onnx")
    options = ("--scale", scale, "--scores", returned, "--layout", layout)
    assert run_export(tmp_path / "own.onnx", tmp_path, *options) == 0
    assert "TensorFlow Serving can't" in capsys.readouterr().out
    inputs = SCALED[scale](pixels()).astype(np.float32)
    outputs = answers_of(tmp_path / "own.onnx", inputs.transpose(0, 3, 1, 2) if layout == "nchw" else inputs)
    expected = softmax(outputs) if returned == "logits" else outputs
    assert not (tmp_path / "own" / "1" / "saved_model.pb").exists()
    if kind != "MobileNetV2":  # whose initial weights do not distinguish images
        assert_served_as(tmp_path / "own" / "1", expected, own_models.photographs(), "openvino", "auto")


def test_an_unchanged_onnx_file_is_not_exported_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(own_models.network(), tmp_path / "own.onnx")
    options = ("--scale", "tf", "--scores", "logits", "--layout", "nhwc")
    for _ in range(2):
        assert run_export(tmp_path / "own.onnx", tmp_path, *options) == 0
    assert "version 1 is up to date" in capsys.readouterr().out


def test_a_wrong_layout_is_an_error_that_names_the_right_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(own_models.network(), tmp_path / "own.onnx")
    assert run_export(tmp_path / "own.onnx", tmp_path, "--scale", "tf", "--scores", "logits") == 1
    assert "pass --layout nhwc" in capsys.readouterr().err


def test_a_file_that_is_no_onnx_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.onnx").write_bytes(b"nothing of the kind")
    assert run_export(tmp_path / "own.onnx", tmp_path, "--scale", "tf", "--scores", "logits") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "OpenVINO can't read" in line


def write(network: keras.Model, path: Path) -> None:
    network(tf.zeros([1, *network.input_shape[1:]]))
    network.export(path, format="onnx", verbose=False)


def answers_of(path: Path, inputs: Any) -> Any:
    """The file, as OpenVINO runs it, one image at a time."""
    model = openvino.Core().read_model(path)
    model.reshape([1, *inputs.shape[1:]])
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([np.array(compiled(one[None])[0]) for one in inputs])
