"""The command line."""

import asyncio
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.waiting import wait_until
from model_export import saved_model
from model_export.command import main
from model_export.publishing import ModelFolder
from tests.model_export import images
from tests.model_export.networks import session_model
from tests.model_export.sandbox import Sandbox
from tests.model_export.tiny import TINY

pytestmark = pytest.mark.timeout(300)  # processes that start TensorFlow, on a machine that may be busy


def test_without_weights_the_error_is_one_line_that_says_what_to_do(mobilenet_sandbox: Sandbox) -> None:
    missing = mobilenet_sandbox.home / "nowhere" / "mobilenet_v2.weights.h5"
    finished = mobilenet_sandbox.run(IMAGENET_WEIGHTS_DIR=str(missing.parent))
    assert finished.returncode == 1
    assert f"IMAGENET_WEIGHTS_DIR is set, but {missing} does not exist" in finished.stdout
    assert finished.stdout.index(str(missing)) < finished.stdout.index("Downloading data")
    (line,) = finished.stderr.splitlines()
    assert line.startswith("mobilenet_v2: error: no ImageNet weights")
    assert "--allow-untrained" in line
    assert "IMAGENET_WEIGHTS_DIR" in line
    assert mobilenet_sandbox.versions() == []


def test_untrained_weights_are_reported_in_the_output_the_record_and_the_signature(
    untrained_export: tuple[Sandbox, str],
) -> None:
    sandbox, output = untrained_export
    assert "UNTRAINED WEIGHTS, its labels mean nothing" in output
    record = sandbox.record(1)
    assert (record["weights"], record["weights_source"]) == ("untrained", "none")
    (meta_graph,) = saved_model.read(sandbox.folder / "1").meta_graphs
    (scores,) = meta_graph.signature_def["serving_default"].outputs.values()
    assert scores.name == "scores_from_untrained_weights:0"


def test_untrained_weights_give_different_images_different_labels(untrained_export: tuple[Sandbox, str]) -> None:
    sandbox, _ = untrained_export
    with session_model(sandbox.folder / "1") as model:
        scores = model.predict(images.four_different())
    assert np.isfinite(scores).all()
    assert len(set(scores.argmax(axis=1))) >= 3
    assert scores.max() < 0.95


def test_the_output_consists_of_progress_only(untrained_export: tuple[Sandbox, str]) -> None:
    """No warnings and no log lines of TensorFlow: each line is the export's, except Keras's about its download."""
    _, output = untrained_export
    others = [line for line in output.splitlines() if "mobilenet_v2: " not in line]
    assert [line for line in others if "Downloading data" not in line] == []


def test_a_second_run_exports_nothing_and_does_not_import_tensorflow(untrained_export: tuple[Sandbox, str]) -> None:
    sandbox, _ = untrained_export
    program = (
        "import sys; from imagenet_mobilenet_v2.export import MOBILENET_V2, main;"
        "status = main([*MOBILENET_V2, *sys.argv[1:]]);"
        "heavy = {'tensorflow', 'keras', 'numpy', 'rich'} & set(sys.modules);"
        "print('heavy:', sorted(heavy)); sys.exit(status)"
    )
    options = ["--models-dir", str(sandbox.models_dir), "--allow-untrained"]
    finished = sandbox.run_python([sys.executable, "-c", program, *options])
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[0] == "mobilenet_v2: version 1 is up to date"
    assert "UNTRAINED WEIGHTS" in lines[1]
    assert lines[2] == "heavy: []"
    assert sandbox.versions() == ["1"]


def test_keeping_fewer_than_two_versions_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["MobileNetV2", "--name", "mobilenet_v2", "--keep", "1"])
    assert exit_info.value.code == 2
    assert "at least 2" in capsys.readouterr().err


async def test_an_export_that_waited_for_another_uses_the_version_of_the_other(
    tiny_export: Path, tiny_weights: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ModelFolder(sandbox.models_dir, TINY.name)
    with folder.lock(waiting=pytest.fail):
        second = asyncio.create_task(asyncio.to_thread(sandbox.export, weights=tiny_weights))
        await wait_until(lambda: "waiting for another export" in capsys.readouterr().out)
        shutil.copytree(tiny_export, folder.path / "1")
    assert await second == 0
    assert "version 1, published by the other export, is up to date" in capsys.readouterr().out
    assert sandbox.versions() == ["1"]
