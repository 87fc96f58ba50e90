"""Models that can't be served, and options that don't fit the model: an error that says what to do, and no version."""

from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.model_export import own_models
from tests.model_export.own_models import run_export

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def fails(source: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Export, and return the line of the error."""
    models = source.parent / "models"
    assert run_export(source, models, *options) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("own: error: ")]
    assert [path for path in models.glob("*/*") if path.name.isdecimal()] == []
    return line


IMAGES = ("--scale", "tf", "--scores", "logits")


def test_mistakes_with_a_keras_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.keras"
    own_models.network().save(path)
    (tmp_path / "nine.txt").write_text("\n".join(own_models.LABELS[:9]))
    (tmp_path / "eleven.txt").write_text("\n".join(["background", *own_models.LABELS]))
    error = fails(path, capsys, *IMAGES, "--labels", str(tmp_path / "nine.txt"))
    assert "--labels has 9 labels, but own returns 10 scores" in error
    assert "pass --background" in fails(path, capsys, *IMAGES, "--labels", str(tmp_path / "eleven.txt"))
    assert "pass --size 48 or leave --size out" in fails(path, capsys, *IMAGES, "--size", "224")
    assert "pass --scores logits" in fails(path, capsys, "--scale", "tf", "--scores", "softmax")
    assert "takes float32, not strings" in fails(path, capsys, "--input", "text", "--scores", "softmax")
    assert "pass --layout nhwc" in fails(path, capsys, *IMAGES, "--layout", "nchw")


def test_probabilities_are_not_taken_for_logits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_models.network(is_softmax=True).save(tmp_path / "own.keras")
    assert "pass --scores softmax" in fails(tmp_path / "own.keras", capsys, *IMAGES)


def test_a_damaged_keras_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.keras").write_bytes(b"half a file")
    assert "Keras can't load" in fails(tmp_path / "own.keras", capsys, *IMAGES)


def test_a_damaged_saved_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "saved_model.pb").write_bytes(b"half a file")
    assert "TensorFlow can't load" in fails(tmp_path / "own", capsys, *IMAGES)


def test_models_with_several_inputs_or_one_output_value_are_not_supported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, number = keras.Input((48, 48, 3)), keras.Input((1,))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    joined = keras.layers.Concatenate()([pooled, number])
    keras.Model([image, number], keras.layers.Dense(3)(joined)).save(tmp_path / "two.keras")
    keras.Model(image, keras.layers.Dense(1)(pooled)).save(tmp_path / "regression.keras")
    assert "has 2 inputs; a model to serve takes one tensor" in fails(tmp_path / "two.keras", capsys, *IMAGES)
    assert "one score for each of at least two classes" in fails(tmp_path / "regression.keras", capsys, *IMAGES)


def test_an_input_of_any_size_needs_the_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = keras.Input((None, None, 3))
    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(image))
    keras.Model(image, outputs).save(tmp_path / "own.keras")
    assert "say with --size which size suits it" in fails(tmp_path / "own.keras", capsys, *IMAGES)
    assert run_export(tmp_path / "own.keras", tmp_path / "models", *IMAGES, "--size", "32") == 0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((64, 96, 3), "only square inputs are supported"), ((10,), "it must take images"), ((64, 64, 1), "RGB")],
)
def test_a_keras_file_whose_input_is_no_square_image_of_three_channels_is_not_supported(
    shape: tuple[int, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = keras.Input(shape)
    keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs))).save(tmp_path / "own.keras")
    assert f"takes [None, {', '.join(map(str, shape))}]" in (error := fails(tmp_path / "own.keras", capsys, *IMAGES))
    assert expected in error


def test_mistakes_with_a_saved_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_models.Channels(own_models.network(), None).save(tmp_path / "own")
    assert "pass --layout nchw" in fails(tmp_path / "own", capsys, *IMAGES)
    assert "choose one with --signature" in fails(tmp_path / "own", capsys, *IMAGES, "--signature", "nothing")
    nchw = (*IMAGES, "--layout", "nchw")
    assert "has the outputs logits" in fails(tmp_path / "own", capsys, *nchw, "--output", "scores")


def test_a_saved_model_of_strings_asks_for_the_kind_of_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_models.text_classifier().export(tmp_path / "own", verbose=False)
    assert "pass --input text or --input bytes" in fails(tmp_path / "own", capsys, *IMAGES)


def test_a_saved_model_of_several_tensors_is_not_supported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Two(tf.Module):  # type: ignore[misc] # TensorFlow is not analysed
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name=name) for name in ("left", "right")])  # type: ignore[untyped-decorator]
        def serve(self, left: Any, right: Any) -> Any:
            return {"scores": left + right}

    module = Two()
    tf.saved_model.save(module, str(tmp_path / "own"), signatures=module.serve)
    assert "takes 2 tensors (left, right), not one" in fails(tmp_path / "own", capsys, *IMAGES)
