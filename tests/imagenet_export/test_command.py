"""The command line, in processes of its own, with the network out of reach."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from harness.waiting import wait_until
from imagenet_export import saved_model
from imagenet_export.command import main
from imagenet_export.publishing import ModelFolder
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export import images
from tests.imagenet_export.machine import Machine
from tests.imagenet_export.networks import export, lively_network, served

pytestmark = pytest.mark.timeout(300)  # processes that start TensorFlow, on a machine that may be busy


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


def test_untrained_weights_never_replace_trained_ones(exported_once: Path, machine: Machine) -> None:
    shutil.copytree(exported_once, machine.models)
    older = machine.models / "mobilenet_v2" / "1" / "assets.extra" / "export.json"
    older.write_text(json.dumps({**machine.record(1), "fingerprint": "of an older exporter"}))
    finished = machine.run("--allow-untrained")
    assert finished.returncode == 0, finished.stderr
    assert "version 1 has ImageNet weights from IMAGENET_WEIGHTS_DIR: kept" in finished.stdout
    assert machine.versions() == ["1"]


def test_one_version_is_never_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(MOBILENET_V2, ["--models-dir", "models", "--keep", "1"])
    assert left.value.code == 2
    assert "at least 2" in capsys.readouterr().err


async def test_an_export_that_waited_for_another_takes_what_that_one_made(
    exported_once: Path, trained: Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ModelFolder(machine.models, MOBILENET_V2.name)
    with folder.lock(waiting=pytest.fail):
        second = asyncio.create_task(asyncio.to_thread(export, MOBILENET_V2, machine.models, weights=trained))
        await wait_until(lambda: "another export is at work" in capsys.readouterr().out)
        shutil.copytree(exported_once / "mobilenet_v2" / "1", folder.path / "1")
    assert await second == 0
    assert "version 1 is up to date" in capsys.readouterr().out
    assert machine.versions() == ["1"]
