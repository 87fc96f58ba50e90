"""Models of one's own: what is exported has the source's own scores, in both engines of this project's model server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from model_export import verification
from model_export.applications import Scale
from tests.local_tf_serving.loaded_model import loaded_model, string_array
from tests.model_export import images, own_models
from tests.model_export.own_models import CLASSES, LABELS, SIZE, Scores, run_export, top_five

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MEAN: Final = np.array([0.485, 0.456, 0.406])
DEVIATION: Final = np.array([0.229, 0.224, 0.225])


def pixels() -> Scores:
    """The photographs, resized by Pillow: float32 [N, size, size, 3] in 0…255."""
    return np.stack([images.resized(Image.fromarray(images.rgb(one)), SIZE) for one in own_models.photographs()])


def softmax(logits: Any) -> Scores:
    exponentials = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    scores: Scores = exponentials / exponentials.sum(axis=1, keepdims=True)
    return scores


SCALED: Final[dict[Scale, Callable[[Scores], Any]]] = {
    "tf": lambda rgb: rgb / 127.5 - 1,
    "torch": lambda rgb: (rgb / 255 - MEAN) / DEVIATION,
    "caffe": lambda rgb: rgb[..., ::-1] - np.array([103.939, 116.779, 123.68]),
    "0..1": lambda rgb: rgb / 255,
    "none": lambda rgb: rgb,
}


def assert_served_as(version: Path, expected: Scores, inputs: list[bytes], *engines: str) -> None:
    """Each engine returns these scores, and so the source's top five."""
    assert len({int(row.argmax()) for row in expected}) > 1, "the source must distinguish the inputs"
    for engine in engines:
        with loaded_model(version, engine) as model:
            (alias,) = model.servable.signature_defs["serving_default"].inputs
            (scores,) = model.servable.run("serving_default", {alias: string_array(inputs)}, ["scores"], None)
        np.testing.assert_allclose(scores, expected, atol=0.005)
        assert top_five(scores) == top_five(expected), engine


@pytest.mark.parametrize("scale", SCALED)
def test_a_keras_file_with_logits_is_served_with_its_own_scores(
    scale: Scale, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = own_models.network(scale=scale)
    network.save(tmp_path / "ten.keras")
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(LABELS))
    options = ("--scale", scale, "--scores", "logits", "--labels", str(labels))
    assert run_export(tmp_path / "ten.keras", tmp_path, *options) == 0
    expected = softmax(network(SCALED[scale](pixels()).astype(np.float32)).numpy())
    assert_served_as(tmp_path / "own" / "1", expected, own_models.photographs(), "tensorflow", "openvino")
    copied = tmp_path / "own" / "1" / "assets.extra" / "labels.json"
    assert json.loads(copied.read_text()) == LABELS
    assert f"its labels are in {copied}: set LABELS" in capsys.readouterr().out


def test_a_saved_model_of_floats_is_served_with_its_own_scores(tmp_path: Path) -> None:
    network = own_models.network(is_softmax=True)
    network.export(tmp_path / "floats", verbose=False)
    assert run_export(tmp_path / "floats", tmp_path, "--scale", "tf", "--scores", "softmax") == 0
    expected = network(SCALED["tf"](pixels())).numpy()
    assert_served_as(tmp_path / "own" / "1", expected, own_models.photographs(), "tensorflow", "openvino")


@pytest.mark.parametrize("batch", [None, 1])
def test_a_saved_model_with_channels_first_and_perhaps_a_batch_of_one_is_served_with_its_own_scores(
    tmp_path: Path, batch: int | None
) -> None:
    network = own_models.network()
    own_models.Channels(network, batch).save(tmp_path / "floats")
    options = ("--scale", "torch", "--scores", "logits", "--layout", "nchw")
    assert run_export(tmp_path / "floats", tmp_path, *options) == 0
    expected = softmax(network(SCALED["torch"](pixels()).astype(np.float32)).numpy())
    assert_served_as(tmp_path / "own" / "1", expected, own_models.photographs(), "tensorflow", "openvino")


def test_a_keras_file_with_a_batch_of_one_is_served_with_its_own_scores(tmp_path: Path) -> None:
    network = own_models.network(batch=1)
    network.save(tmp_path / "one.keras")
    assert run_export(tmp_path / "one.keras", tmp_path, "--scale", "tf", "--scores", "logits") == 0
    expected = softmax(np.concatenate([network(one[None]).numpy() for one in SCALED["tf"](pixels())]))
    assert_served_as(tmp_path / "own" / "1", expected, own_models.photographs(), "tensorflow", "openvino")


def test_a_crop_is_served_with_the_same_scores_by_both_engines(tmp_path: Path) -> None:
    own_models.network().save(tmp_path / "ten.keras")
    options = ("--scale", "tf", "--scores", "logits", "--resize", "crop")
    assert run_export(tmp_path / "ten.keras", tmp_path, *options) == 0
    inputs = own_models.photographs()
    cropped = verification.predict(tmp_path / "own" / "1", inputs)
    assert_served_as(tmp_path / "own" / "1", cropped, inputs, "tensorflow", "openvino")
    assert run_export(tmp_path / "ten.keras", tmp_path, "--scale", "tf", "--scores", "logits") == 0
    stretched = verification.predict(tmp_path / "own" / "2", inputs)
    assert np.abs(cropped - stretched).max() > 0.01


@pytest.mark.parametrize("form", ["text.keras", "saved_model"])
def test_a_text_classifier_takes_strings_and_keeps_its_vocabulary(tmp_path: Path, form: str) -> None:
    network = own_models.text_classifier()
    if form == "saved_model":
        network.export(tmp_path / form, verbose=False)
    else:
        network.save(tmp_path / form)
    assert run_export(tmp_path / form, tmp_path, "--input", "text", "--scores", "softmax") == 0
    inputs = own_models.texts()
    expected = network(tf.constant(inputs)[:, None]).numpy()
    assert_served_as(tmp_path / "own" / "1", expected, inputs, "tensorflow", "auto")


def test_a_model_that_decodes_images_itself_is_served_as_bytes(tmp_path: Path) -> None:
    network = own_models.network()

    class Decoding(tf.Module):  # type: ignore[misc] # TensorFlow is not analysed
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="files")])  # type: ignore[untyped-decorator]
        def serve(self, files: Any) -> dict[str, Any]:
            def decode(file: Any) -> Any:
                return tf.image.resize(tf.io.decode_jpeg(file, channels=3), [SIZE, SIZE]) / 255.0

            return {"logits": network(tf.map_fn(decode, files, fn_output_signature=tf.float32))}

    module = Decoding()
    tf.saved_model.save(module, str(tmp_path / "bytes"), signatures=module.serve)
    assert run_export(tmp_path / "bytes", tmp_path, "--input", "bytes", "--scores", "logits") == 0
    inputs = own_models.photographs()
    expected = softmax(module.serve(tf.constant(inputs))["logits"].numpy())
    assert_served_as(tmp_path / "own" / "1", expected, inputs, "tensorflow")


def test_the_difference_from_the_source_is_printed_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_models.network().save(tmp_path / "ten.keras")
    assert run_export(tmp_path / "ten.keras", tmp_path, "--scale", "tf", "--scores", "logits") == 0
    assert "the largest difference of a score from the source's is" in capsys.readouterr().out
    record = json.loads((tmp_path / "own" / "1" / "assets.extra" / "export.json").read_text())
    assert 0 <= record["difference"] <= 0.005
    assert (record["architecture"], record["weights"], record["input_size"]) == ("ten.keras", "own", SIZE)


def test_what_openvino_cannot_represent_is_exported_without_an_ir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def convert_model(*_: object) -> None:
        raise RuntimeError("no rule for Bessel")

    monkeypatch.setattr("model_export.openvino_ir.convert_model", convert_model)
    own_models.network().save(tmp_path / "ten.keras")
    options = ("--scale", "tf", "--scores", "logits")
    assert run_export(tmp_path / "ten.keras", tmp_path, *options) == 0
    assert "no OpenVINO IR (no rule for Bessel)" in capsys.readouterr().out
    assert not (tmp_path / "own" / "1" / "assets.extra" / "openvino").exists()
    assert run_export(tmp_path / "ten.keras", tmp_path, *options) == 0
    assert "version 1 is up to date" in capsys.readouterr().out


def test_a_version_that_differs_from_its_source_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("model_export.scaling.scale", lambda mode, rgb: rgb)  # the graph forgets to scale
    own_models.network().save(tmp_path / "ten.keras")
    assert run_export(tmp_path / "ten.keras", tmp_path, "--scale", "tf", "--scores", "logits") == 1
    assert "differ from the network's by" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "own").iterdir()] == [".exporting.lock"]


def test_every_option_that_changes_the_scores_makes_a_new_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_models.network().save(tmp_path / "ten.keras")
    own_models.network(seed=2).save(tmp_path / "other.keras")
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(LABELS))
    exports = [
        ("ten.keras", "tf", ()),
        ("ten.keras", "torch", ()),
        ("ten.keras", "torch", ("--resize", "crop")),
        ("ten.keras", "torch", ("--labels", str(labels))),
        ("ten.keras", "torch", ("--background",)),
        ("other.keras", "torch", ("--background",)),
    ]
    for number, (source, scale, options) in enumerate(exports, start=1):
        for _ in range(2):
            assert run_export(tmp_path / source, tmp_path, "--scale", scale, "--scores", "logits", *options) == 0
        assert f"version {number} is up to date" in capsys.readouterr().out
    assert (tmp_path / "own" / str(len(exports))).is_dir()
    assert keras.ops.shape(verification.predict(tmp_path / "own" / "6", own_models.photographs()))[1] == CLASSES + 1
