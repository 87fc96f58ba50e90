"""Every mistake on the command line is one line that says what to do, before TensorFlow starts."""

import json
from pathlib import Path

import pytest

from model_export import arguments
from model_export.command import main
from model_export.recipe import Recipe

OWN = ("--name", "own")
COMPLETE = (*OWN, "--scale", "tf", "--scores", "softmax")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with files of each kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    for file in ("own.keras", "own.onnx", "own.pt", "empty.txt"):
        (tmp_path / file).touch()
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "empty.json").write_text('["cat", ""]')
    (tmp_path / "object.json").write_text('{"cat": 1}')
    (tmp_path / "broken.json").write_text('["cat"')
    (tmp_path / "latin1.txt").write_bytes("Bär".encode("latin-1"))
    return tmp_path


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        (("EfficentNetB0", *OWN), "did you mean EfficientNetB0"),
        (("mobilenetv2", *OWN), "did you mean MobileNetV2"),
        (("qqq", *OWN), "it has ConvNeXtBase, ConvNeXtLarge"),
        (("missing.keras", *COMPLETE), "there is no missing.keras"),
        (("no/such/directory", *COMPLETE), "there is no no/such/directory"),
        (("directory", *COMPLETE), "pass the directory that has it"),
        (("own.pt", *COMPLETE), "torch.onnx.export"),
        (("own.keras", *OWN, "--scores", "softmax"), "say with --scale which values own.keras expects"),
        (("own.keras", *OWN, "--scale", "tf"), "say with --scores what own.keras returns"),
        (("own.keras", "--name", "a/b", "--scale", "tf", "--scores", "softmax"), "use letters, digits"),
        (("own.keras", *COMPLETE, "--weights", "own.onnx"), "--weights is for names of keras.applications"),
        (("own.keras", *COMPLETE, "--allow-untrained"), "--allow-untrained is for names of keras.applications"),
        (("own.keras", *OWN, "--input", "text", "--scores", "softmax", "--size", "3"), "--size is for images"),
        (("own.keras", *OWN, "--input", "text", "--scores", "softmax", "--layout", "nhwc"), "--layout is for images"),
        (("own.keras", *COMPLETE, "--signature", "serve"), "--signature is for SavedModels"),
        (("own.onnx", *OWN, "--input", "text", "--scores", "softmax"), "an .onnx file must take images"),
        (("saved_model", *COMPLETE, "--precision", "bfloat16"), "--precision is for Keras models"),
        (("MobileNetV2", *OWN, "--input", "text"), "MobileNetV2 takes images"),
        (("MobileNetV2", *OWN, "--weights", "missing.h5"), "--weights: there is no missing.h5"),
        (("own.keras", *COMPLETE, "--examples", "missing"), "--examples: there is no missing"),
        (("own.keras", *COMPLETE, "--labels", "missing.txt"), "--labels: can't read missing.txt"),
        (("own.keras", *COMPLETE, "--labels", "empty.txt"), "must hold nothing but labels"),
        (("own.keras", *COMPLETE, "--labels", "empty.json"), "none of them may be empty"),
        (("own.keras", *COMPLETE, "--labels", "object.json"), "must hold nothing but labels"),
        (("own.keras", *COMPLETE, "--labels", "broken.json"), "it must be a JSON array of strings"),
        (("own.keras", *COMPLETE, "--labels", "latin1.txt"), "in UTF-8"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    command_line: tuple[str, ...], expected: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command_line) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "error: " in line
    assert expected in line
    assert not (directory / "models").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--size", "0"), ("--size", "many"), ("--scale", "pytorch"), ("--resize", "pad")]
)
def test_a_wrong_value_is_refused_with_the_values_that_are_right(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["own.keras", *COMPLETE, option, value])
    assert exit_info.value.code == 2
    assert option in capsys.readouterr().err


def test_help_names_the_kinds_of_source(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in ("keras.applications", ".keras file", "SavedModel", ".onnx", "docs/your-own"))


def recipe(*command_line: str) -> Recipe:
    return arguments.parse(command_line).recipe


def test_a_network_of_keras_brings_its_size_and_its_scaling() -> None:
    assert (recipe("ResNet50", *OWN).size, recipe("ResNet50", *OWN).scale) == (224, "caffe")
    assert (recipe("EfficientNetB7", *OWN).size, recipe("EfficientNetB7", *OWN).scale) == (600, "none")
    assert recipe("ResNet50", *OWN, "--size", "160").size == 160


def test_1001_imagenet_labels_add_the_background_and_1000_do_not(directory: Path) -> None:
    for labels, expected in ((["background", *"abc" * 333, "d"], True), ([*"abcd" * 250], False)):
        (directory / "labels.json").write_text(json.dumps(labels))
        assert recipe("ResNet50", *OWN, "--labels", "labels.json").background == expected


def test_labels_are_a_json_array_or_one_per_line(directory: Path) -> None:
    (directory / "labels.txt").write_text("cat\nhot dog\n")
    (directory / "labels.json").write_text('["cat", "hot dog"]')
    by_format = {recipe("own.keras", *COMPLETE, "--labels", f"labels.{suffix}").labels for suffix in ("txt", "json")}
    assert by_format == {("cat", "hot dog")}


def test_a_network_with_weights_of_ones_own_has_no_class_for_the_background(directory: Path) -> None:
    (directory / "labels.txt").write_text("\n".join(["background", *"abcdefghij"]))
    options = ("--weights", "own.keras", "--labels", "labels.txt")
    assert recipe("ResNet50", *OWN, *options).classes == 11
    assert recipe("ResNet50", *OWN, *options, "--background").classes == 10
