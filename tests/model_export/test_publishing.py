"""Versions appear and disappear atomically."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.process import ROOT
from model_export.errors import DiskFull, ModelsUnwritable
from model_export.publishing import ModelFolder
from model_export.recipe import Recipe
from model_export.record import ExportRecord
from tests.model_export.recipes import MOBILENET_V2


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    """An empty folder. Tests need no lock, because nothing else publishes into it."""
    folder = ModelFolder(tmp_path, "model")
    folder.path.mkdir()
    return folder


def write_model(version: Path) -> None:
    (version / "saved_model.pb").write_bytes(b"a graph")


def write_own_model(version: Path, recipe: Recipe = MOBILENET_V2) -> None:
    write_model(version)
    record = ExportRecord(
        model="model",
        architecture=recipe.source,
        input_size=recipe.size,
        weights="untrained",
        weights_source="none",
        weights_identity="untrained",
        fingerprint="f" * 64,
        tensorflow="2.21.0",
        created_at="2026-01-01T00:00:00Z",
    )
    record.write(version)


def numbers(folder: ModelFolder) -> list[int]:
    return [version.number for version in folder.versions()]


def names(folder: ModelFolder) -> set[str]:
    return {child.name for child in folder.path.iterdir()}


def test_versions_are_numbered_from_1(folder: ModelFolder) -> None:
    assert [folder.publish(write_model).number for _ in range(3)] == [1, 2, 3]
    assert (folder.path / "3" / "saved_model.pb").read_bytes() == b"a graph"


def test_the_next_number_follows_the_highest_despite_gaps_and_leading_zeros(folder: ModelFolder) -> None:
    for name in ("2", "0041", "latest", ".exporting-9"):
        (folder.path / name).mkdir()
    (folder.path / "77").write_text("a file is no version")
    assert numbers(folder) == [2, 41]
    assert folder.publish(write_model).number == 42


def test_a_version_is_invisible_to_servers_while_it_is_written(folder: ModelFolder) -> None:
    seen: list[set[str]] = []

    def write_and_look(version: Path) -> None:
        write_model(version)
        seen.append(names(folder))

    folder.publish(write_and_look)
    assert [name for name in seen[0] if name.isdecimal()] == []
    assert names(folder) == {"1"}


def test_a_failed_write_leaves_nothing(folder: ModelFolder) -> None:
    def write_and_fail(version: Path) -> None:
        write_model(version)
        raise RuntimeError("the network is down")

    with pytest.raises(RuntimeError, match="the network is down"):
        folder.publish(write_and_fail)
    assert names(folder) == set()


def test_an_interrupt_leaves_nothing(folder: ModelFolder) -> None:
    def write_and_interrupt(version: Path) -> None:
        write_model(version)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.publish(write_and_interrupt)
    assert names(folder) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_an_error_of_one_line_and_leaves_nothing(folder: ModelFolder) -> None:
    def write_too_much(version: Path) -> None:
        write_model(version)
        (version / "more").symlink_to("/dev/full")
        (version / "more").write_bytes(b"one byte too many")

    with pytest.raises(DiskFull, match=r"no space left for .*; free some or choose another --models-dir$") as caught:
        folder.publish(write_too_much)
    assert "\n" not in str(caught.value)
    assert names(folder) == set()


def test_an_unwritable_models_directory_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the models directory should be")
    folder = ModelFolder(tmp_path / "models", "model")
    assert folder.newest() is None
    with (
        pytest.raises(
            ModelsUnwritable, match=r"can't write to .* \(Not a directory\); make it writable or choose another"
        ),
        folder.lock(waiting=pytest.fail),
    ):
        pytest.fail("nothing to lock")


def test_a_number_taken_by_another_program_during_the_write_is_skipped(folder: ModelFolder) -> None:
    def write_while_another_publishes(version: Path) -> None:
        write_model(version)
        (folder.path / "1").mkdir()
        (folder.path / "1" / "saved_model.pb").write_bytes(b"of the other program")

    assert folder.publish(write_while_another_publishes).number == 2
    assert (folder.path / "1" / "saved_model.pb").read_bytes() == b"of the other program"


def test_unfinished_versions_of_dead_exports_are_removed_by_the_next_export(folder: ModelFolder) -> None:
    folder.publish(write_model)
    (folder.path / ".exporting-4711").mkdir()
    (folder.path / ".exporting-4711" / "saved_model.pb").write_bytes(b"half a gra")
    with folder.lock(waiting=pytest.fail):
        assert names(folder) == {"1", ".exporting.lock"}


def test_a_second_export_waits_for_the_first(folder: ModelFolder) -> None:
    order: list[str] = []
    second_waits = threading.Event()

    def run_second() -> None:
        with folder.lock(waiting=second_waits.set):
            order.append("second")

    with folder.lock(waiting=pytest.fail):
        thread = threading.Thread(target=run_second)
        thread.start()
        assert second_waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_the_lock_of_a_dead_process_is_released(folder: ModelFolder) -> None:
    program = (
        "import os, sys; from pathlib import Path; from model_export.publishing import ModelFolder;"
        "ModelFolder(Path(sys.argv[1]), 'model').lock(waiting=None).__enter__(); print('locked', flush=True);"
        "os._exit(0)"  # without releasing the lock
    )
    command = [sys.executable, "-c", program, str(folder.path.parent)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout == "locked\n"
    with folder.lock(waiting=pytest.fail):
        pass


def test_pruning_keeps_the_newest_versions_and_does_not_touch_those_of_others(folder: ModelFolder) -> None:
    folder.publish(write_model)  # has no record, so this exporter did not write it
    for _ in range(4):
        folder.publish(write_own_model)
    removed = folder.prune(2, include_foreign=False)
    assert [version.number for version in removed] == [2, 3]
    assert numbers(folder) == [1, 4, 5]
    assert names(folder) == {"1", "4", "5"}


def test_pruning_on_request_removes_versions_of_others_too(folder: ModelFolder) -> None:
    for write in (write_model, write_own_model, write_own_model, write_model):
        folder.publish(write)
    assert [version.number for version in folder.prune(3, include_foreign=True)] == [1]
    assert numbers(folder) == [2, 3, 4]


def test_pruning_removes_nothing_while_there_are_few_versions(folder: ModelFolder) -> None:
    folder.publish(write_own_model)
    assert folder.prune(2, include_foreign=True) == []
    assert numbers(folder) == [1]


def test_a_version_has_the_record_that_was_written(folder: ModelFolder) -> None:
    version = folder.publish(write_own_model)
    assert version.record is not None
    assert (version.record.model, version.record.is_trained) == ("model", False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": "model"}'])
def test_an_invalid_record_is_none(folder: ModelFolder, text: str) -> None:
    version = folder.publish(write_model)
    (version.path / "assets.extra").mkdir()
    (version.path / "assets.extra" / "export.json").write_text(text)
    assert version.record is None
