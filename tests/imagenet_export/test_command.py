"""The command line, in processes of its own and in order of search for weights, with the network out of reach."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from imagenet_export import saved_model
from imagenet_export.command import main
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export import images
from tests.imagenet_export.networks import export, lively_network, served

pytestmark = pytest.mark.timeout(300)  # processes that start TensorFlow, on a machine that may be busy


@dataclass(frozen=True)
class Machine:
    """One without a network, with a home directory and a models directory of its own."""

    home: Path

    @property
    def models(self) -> Path:
        return self.home / "models"

    def run(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "imagenet_mobilenet_v2.export", "--models-dir", str(self.models), *options]
        return self.python(command, environment)

    def python(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        nowhere = "http://127.0.0.1:9"  # the discard port: refused at once
        isolated = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("IMAGENET_", "TF_", "KERAS_"))
            },
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
            **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
            "KERAS_HOME": str(self.home),
            **environment,
        }
        return subprocess.run(command, env=isolated, cwd=images.REPOSITORY, capture_output=True, text=True, check=False)

    def record(self, version: int) -> dict[str, Any]:
        path = self.models / "mobilenet_v2" / str(version) / "assets.extra" / "export.json"
        values: dict[str, Any] = json.loads(path.read_text())
        return values

    def versions(self) -> list[str]:
        folder = self.models / "mobilenet_v2"
        return sorted(child.name for child in folder.iterdir() if child.name.isdecimal()) if folder.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def untrained_machine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Machine, str]:
    """A machine that exported untrained weights, and what the command said."""
    machine = Machine(tmp_path_factory.mktemp("untrained"))
    finished = machine.run("--allow-untrained")
    assert finished.returncode == 0, finished.stderr
    return machine, finished.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with weights under the right name."""
    directory = tmp_path_factory.mktemp("weights")
    lively_network(MOBILENET_V2, directory)
    return directory


@pytest.fixture(scope="module")
def exported_once(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models directory with one version of those weights, to be copied."""
    models = tmp_path_factory.mktemp("exported")
    assert export(MOBILENET_V2, models, weights=trained) == 0
    return models


def test_without_weights_anywhere_it_refuses_in_one_line_that_says_what_to_do(machine: Machine) -> None:
    finished = machine.run(IMAGENET_WEIGHTS_DIR=str(machine.home / "nowhere"))
    assert finished.returncode == 1
    missing = machine.home / "nowhere" / "mobilenet_v2.weights.h5"
    assert f"IMAGENET_WEIGHTS_DIR is set, but {missing} is not there" in finished.stdout
    assert finished.stdout.index(str(missing)) < finished.stdout.index("Downloading data")
    (line,) = finished.stderr.splitlines()
    assert line.startswith("mobilenet_v2: error: no ImageNet weights")
    assert "--allow-untrained" in line
    assert "IMAGENET_WEIGHTS_DIR" in line
    assert machine.versions() == []


def test_untrained_weights_cannot_be_missed(untrained_machine: tuple[Machine, str]) -> None:
    machine, said = untrained_machine
    assert "UNTRAINED WEIGHTS, its labels mean nothing" in said
    record = machine.record(1)
    assert (record["weights"], record["weights_source"]) == ("untrained", "none")
    (meta_graph,) = saved_model.read(machine.models / "mobilenet_v2" / "1").meta_graphs
    (scores,) = meta_graph.signature_def["serving_default"].outputs.values()
    assert scores.name == "scores_from_untrained_weights:0"


def test_untrained_weights_answer_every_image_and_not_all_alike(untrained_machine: tuple[Machine, str]) -> None:
    machine, _ = untrained_machine
    with served(machine.models / "mobilenet_v2" / "1") as model:
        scores = model.predict(images.four_unlike())
    assert np.isfinite(scores).all()
    assert len(set(scores.argmax(axis=1))) >= 3
    assert scores.max() < 0.95


def test_nothing_but_progress_is_said(untrained_machine: tuple[Machine, str]) -> None:
    """No warning, no chatter of TensorFlow: each line is the export's, but for Keras's on its download."""
    _, said = untrained_machine
    others = [line for line in said.splitlines() if "mobilenet_v2: " not in line]
    assert [line for line in others if "Downloading data" not in line] == []


def test_a_second_run_does_nothing_without_even_tensorflow(untrained_machine: tuple[Machine, str]) -> None:
    machine, _ = untrained_machine
    program = (
        "import sys; from imagenet_mobilenet_v2.export import MOBILENET_V2, main;"
        "status = main(MOBILENET_V2, sys.argv[1:]);"
        "heavy = {'tensorflow', 'keras', 'numpy', 'rich'} & set(sys.modules);"
        "print('heavy:', sorted(heavy)); sys.exit(status)"
    )
    options = ["--models-dir", str(machine.models), "--allow-untrained"]
    finished = machine.python([sys.executable, "-c", program, *options], {})
    assert finished.returncode == 0, finished.stderr
    said = finished.stdout.splitlines()
    assert said[0] == "mobilenet_v2: version 1 is up to date"
    assert "UNTRAINED WEIGHTS" in said[1]
    assert said[2] == "heavy: []"
    assert machine.versions() == ["1"]


def test_weights_in_keras_cache_are_used_without_a_network(machine: Machine, trained: Path) -> None:
    (machine.home / "models").mkdir()
    network = lively_network(MOBILENET_V2, trained)
    keras.saving.save_model(network, machine.home / "models" / MOBILENET_V2.keras_weights_file)
    finished = machine.run("--allow-untrained")
    assert finished.returncode == 0, finished.stderr
    assert (machine.record(1)["weights"], machine.record(1)["weights_source"]) == ("imagenet", "keras")
    assert "UNTRAINED" not in finished.stdout


def test_a_damaged_download_is_named_and_not_replaced_by_untrained_weights(machine: Machine) -> None:
    (machine.home / "models").mkdir()
    download = machine.home / "models" / MOBILENET_V2.keras_weights_file
    download.write_bytes(b"half a download")
    finished = machine.run("--allow-untrained")
    assert finished.returncode == 1
    assert f"{download} can't be read" in finished.stderr
    assert "delete it" in finished.stderr
    assert machine.versions() == []


def test_a_directory_comes_first_and_replaces_untrained_weights(
    untrained_machine: tuple[Machine, str], trained: Path, machine: Machine
) -> None:
    shutil.copytree(untrained_machine[0].models, machine.models)
    assert export(MOBILENET_V2, machine.models, "--allow-untrained", weights=trained) == 0
    assert machine.versions() == ["1", "2"]
    assert (machine.record(2)["weights"], machine.record(2)["weights_source"]) == ("imagenet", "directory")


def test_untrained_weights_never_replace_trained_ones(exported_once: Path, machine: Machine) -> None:
    shutil.copytree(exported_once, machine.models)
    older = machine.models / "mobilenet_v2" / "1" / "assets.extra" / "export.json"
    older.write_text(json.dumps({**machine.record(1), "fingerprint": "of an older exporter"}))
    finished = machine.run("--allow-untrained")
    assert finished.returncode == 0, finished.stderr
    assert "version 1 has ImageNet weights from IMAGENET_WEIGHTS_DIR: kept" in finished.stdout
    assert machine.versions() == ["1"]


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


def test_one_version_is_never_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(MOBILENET_V2, ["--models-dir", "models", "--keep", "1"])
    assert left.value.code == 2
    assert "at least 2" in capsys.readouterr().err
