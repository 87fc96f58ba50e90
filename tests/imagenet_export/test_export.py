"""From weights in a directory to a version, or to the reason why there is none."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export.machine import Machine
from tests.imagenet_export.networks import export, lively_network

pytestmark = pytest.mark.timeout(300)  # the first test to ask for a model may have to export it


def test_a_directory_comes_first_and_replaces_untrained_weights(
    untrained_machine: tuple[Machine, str], trained: Path, machine: Machine
) -> None:
    shutil.copytree(untrained_machine[0].models, machine.models)
    assert export(MOBILENET_V2, machine.models, "--allow-untrained", weights=trained) == 0
    assert machine.versions() == ["1", "2"]
    assert (machine.record(2)["weights"], machine.record(2)["weights_source"]) == ("imagenet", "directory")


def test_the_same_again_is_not_exported(
    exported_once: Path, trained: Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(exported_once, machine.models)
    assert export(MOBILENET_V2, machine.models, weights=trained) == 0
    assert machine.versions() == ["1"]
    assert capsys.readouterr().out == "mobilenet_v2: version 1 is up to date\n"


def test_by_force_the_same_is_exported_again_and_the_oldest_version_goes(
    exported_once: Path, trained: Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("1", "2"):
        shutil.copytree(exported_once / "mobilenet_v2" / "1", machine.models / "mobilenet_v2" / version)
    assert export(MOBILENET_V2, machine.models, "--force", weights=trained) == 0
    assert machine.versions() == ["2", "3"]
    assert machine.record(3)["fingerprint"] == machine.record(2)["fingerprint"]
    assert "mobilenet_v2: removed version 1" in capsys.readouterr().out


def test_a_version_without_its_model_is_exported_anew(exported_once: Path, trained: Path, machine: Machine) -> None:
    shutil.copytree(exported_once, machine.models)
    (machine.models / "mobilenet_v2" / "1" / "saved_model.pb").unlink()
    assert export(MOBILENET_V2, machine.models, weights=trained) == 0
    assert machine.versions() == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all"])
def test_a_damaged_file_is_named_in_one_line(
    machine: Machine, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine.home / "mobilenet_v2.weights.h5").write_bytes(content)
    assert export(MOBILENET_V2, machine.models, "--allow-untrained", weights=machine.home) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mobilenet_v2: error: {machine.home / 'mobilenet_v2.weights.h5'} does not hold weights of")
    assert machine.versions() == []


def test_weights_of_another_network_are_refused(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    other.save_weights(machine.home / "mobilenet_v2.weights.h5")
    assert export(MOBILENET_V2, machine.models, weights=machine.home) == 1
    assert "does not hold weights of MobileNetV2" in capsys.readouterr().err


def test_weights_that_are_not_numbers_are_never_published(
    trained: Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    network = lively_network(MOBILENET_V2, trained)
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([np.full_like(kernel, np.nan), bias])
    network.save_weights(machine.home / "mobilenet_v2.weights.h5")
    assert export(MOBILENET_V2, machine.models, weights=machine.home) == 1
    assert "its weights are broken: scores are not numbers" in capsys.readouterr().err
    assert machine.versions() == []
