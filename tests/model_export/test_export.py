"""Which weights an export uses, when it publishes a version, and when it fails."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.model_export.networks import random_network
from tests.model_export.sandbox import Sandbox
from tests.model_export.tiny import TINY


def test_weights_in_the_directory_replace_untrained_ones(tiny_weights: Path, sandbox: Sandbox) -> None:
    assert sandbox.export("--allow-untrained") == 0
    assert sandbox.record(1)["weights"] == "untrained"
    assert sandbox.export("--allow-untrained", weights=tiny_weights) == 0
    assert sandbox.versions() == ["1", "2"]
    assert (sandbox.record(2)["weights"], sandbox.record(2)["weights_source"]) == ("imagenet", "directory")


def test_weights_in_the_directory_are_used_before_those_in_the_cache_of_keras(
    tiny_weights: Path, sandbox: Sandbox
) -> None:
    save_as_download(random_network(TINY, tiny_weights), sandbox)
    assert sandbox.export(weights=tiny_weights) == 0
    assert sandbox.record(1)["weights_source"] == "directory"


def test_weights_in_the_cache_of_keras_are_used_without_a_network(
    tiny_weights: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    save_as_download(random_network(TINY, tiny_weights), sandbox)
    assert sandbox.export("--allow-untrained") == 0
    assert (sandbox.record(1)["weights"], sandbox.record(1)["weights_source"]) == ("imagenet", "keras")
    assert "UNTRAINED" not in capsys.readouterr().out


def test_a_damaged_download_is_an_error_and_not_replaced_by_untrained_weights(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.download.parent.mkdir()
    sandbox.download.write_bytes(b"half a download")
    assert sandbox.export("--allow-untrained") == 1
    error = capsys.readouterr().err
    assert f"{sandbox.download} can't be read" in error
    assert "delete it" in error
    assert sandbox.versions() == []


def test_untrained_weights_never_replace_trained_ones(
    tiny_export: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_export, sandbox.folder / "1")
    outdated = {**sandbox.record(1), "fingerprint": "of an older exporter"}
    sandbox.record_file(1).write_text(json.dumps(outdated))
    assert sandbox.export("--allow-untrained") == 0
    assert "keeping version 1 with ImageNet weights from IMAGENET_WEIGHTS_DIR" in capsys.readouterr().out
    assert sandbox.versions() == ["1"]


@pytest.mark.parametrize("other", [{"architecture": "Other", "recipe": ""}, {"recipe": "of another size or scale"}])
def test_a_trained_version_of_something_else_under_the_same_name_is_not_kept(
    tiny_export: Path, sandbox: Sandbox, other: dict[str, str]
) -> None:
    shutil.copytree(tiny_export, sandbox.folder / "1")
    record = {**sandbox.record(1), "fingerprint": "of something else", **other}
    sandbox.record_file(1).write_text(json.dumps(record))
    assert sandbox.export("--allow-untrained") == 0
    assert sandbox.record(2)["architecture"] == "Tiny"


def test_a_trained_version_of_an_exporter_that_recorded_no_recipe_is_kept(tiny_export: Path, sandbox: Sandbox) -> None:
    shutil.copytree(tiny_export, sandbox.folder / "1")
    record = {**sandbox.record(1), "fingerprint": "of an older exporter"}
    del record["recipe"], record["files"], record["difference"]
    sandbox.record_file(1).write_text(json.dumps(record))
    assert sandbox.export("--allow-untrained") == 0
    assert sandbox.versions() == ["1"]


def test_the_same_weights_are_not_exported_again(
    tiny_export: Path, tiny_weights: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_export, sandbox.folder / "1")
    assert sandbox.export(weights=tiny_weights) == 0
    assert sandbox.versions() == ["1"]
    assert capsys.readouterr().out == "tiny: version 1 is up to date\n"


def test_a_forced_export_publishes_the_same_again_and_removes_the_oldest_version(
    tiny_export: Path, tiny_weights: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("1", "2"):
        shutil.copytree(tiny_export, sandbox.folder / version)
    assert sandbox.export("--force", weights=tiny_weights) == 0
    assert sandbox.versions() == ["2", "3"]
    assert sandbox.record(3)["fingerprint"] == sandbox.record(2)["fingerprint"]
    assert "tiny: removed version 1" in capsys.readouterr().out


def test_an_incomplete_version_is_exported_again(tiny_export: Path, tiny_weights: Path, sandbox: Sandbox) -> None:
    shutil.copytree(tiny_export, sandbox.folder / "1")
    (sandbox.folder / "1" / "saved_model.pb").unlink()
    assert sandbox.export(weights=tiny_weights) == 0
    assert sandbox.versions() == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all"])
def test_a_damaged_weights_file_is_an_error_of_one_line(
    sandbox: Sandbox, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.weights_file.write_bytes(content)
    assert sandbox.export("--allow-untrained", weights=sandbox.home) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tiny: error: {sandbox.weights_file} does not hold weights of Tiny")
    assert sandbox.versions() == []


def test_weights_of_another_network_are_rejected(
    mobilenet_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    other.save_weights(mobilenet_sandbox.weights_file)
    assert mobilenet_sandbox.export(weights=mobilenet_sandbox.home) == 1
    assert "does not hold weights of MobileNetV2" in capsys.readouterr().err


def test_weights_with_nan_are_never_published(
    tiny_weights: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    network = random_network(TINY, tiny_weights)
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([np.full_like(kernel, np.nan), bias])
    network.save_weights(sandbox.weights_file)
    assert sandbox.export(weights=sandbox.home) == 1
    assert "the weights of tiny are broken: scores are not finite" in capsys.readouterr().err
    assert sandbox.versions() == []


def save_as_download(network: keras.Model, sandbox: Sandbox) -> None:
    sandbox.download.parent.mkdir()
    keras.saving.save_model(network, sandbox.download)
