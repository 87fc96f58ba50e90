"""A version appears whole or not at all, and goes the same way."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imagenet_export.architecture import Architecture
from imagenet_export.errors import DiskFull, ModelsUnwritable
from imagenet_export.publishing import ModelFolder
from imagenet_export.record import ExportRecord
from imagenet_mobilenet_v2.export import MOBILENET_V2
from tests.imagenet_export.images import REPOSITORY

Write = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    """An empty folder for a model; publishing into it needs no lock as long as nobody else does."""
    folder = ModelFolder(tmp_path, "model")
    folder.path.mkdir()
    return folder


def a_model(version: Path) -> None:
    (version / "saved_model.pb").write_bytes(b"a graph")


def one_of_ours(version: Path, architecture: Architecture = MOBILENET_V2) -> None:
    a_model(version)
    record = ExportRecord(
        model="model",
        architecture=architecture.constructor,
        input_size=architecture.input_size,
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


def fail(_: Path) -> None:
    raise RuntimeError("the network is down")


def test_the_first_version_is_1_and_each_next_one_is_one_more(folder: ModelFolder) -> None:
    assert [folder.publish(a_model).number for _ in range(3)] == [1, 2, 3]
    assert (folder.path / "3" / "saved_model.pb").read_bytes() == b"a graph"


def test_the_next_version_is_the_newest_even_if_some_are_missing_or_have_zeros_before(folder: ModelFolder) -> None:
    for name in ("2", "0041", "latest", ".exporting-9"):
        (folder.path / name).mkdir()
    (folder.path / "77").write_text("a file is no version")
    assert numbers(folder) == [2, 41]
    assert folder.publish(a_model).number == 42


def test_while_it_is_written_a_server_sees_nothing_of_it(folder: ModelFolder) -> None:
    seen: list[set[str]] = []

    def look_around(version: Path) -> None:
        a_model(version)
        seen.append(names(folder))

    folder.publish(look_around)
    assert [name for name in seen[0] if name.isdecimal()] == []
    assert names(folder) == {"1"}


def test_what_fails_half_way_leaves_nothing(folder: ModelFolder) -> None:
    def half(version: Path) -> None:
        a_model(version)
        fail(version)

    with pytest.raises(RuntimeError, match="the network is down"):
        folder.publish(half)
    assert names(folder) == set()


def test_an_interrupt_leaves_nothing(folder: ModelFolder) -> None:
    def interrupted(version: Path) -> None:
        a_model(version)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.publish(interrupted)
    assert names(folder) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_line_that_says_what_to_do_and_leaves_nothing(folder: ModelFolder) -> None:
    def too_much(version: Path) -> None:
        a_model(version)
        (version / "more").symlink_to("/dev/full")
        (version / "more").write_bytes(b"one byte too many")

    with pytest.raises(DiskFull, match=r"no space left for .*; free some or name another --models-dir$") as caught:
        folder.publish(too_much)
    assert "\n" not in str(caught.value)
    assert names(folder) == set()


def test_a_folder_that_cannot_be_written_to_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the models directory should be")
    folder = ModelFolder(tmp_path / "models", "model")
    assert folder.newest() is None
    with (
        pytest.raises(
            ModelsUnwritable, match=r"can't write to .* \(Not a directory\); make it writable or name another"
        ),
        folder.lock(waiting=pytest.fail),
    ):
        pytest.fail("nothing to lock")


def test_a_number_taken_meanwhile_is_left_to_whoever_took_it(folder: ModelFolder) -> None:
    def overtaken(version: Path) -> None:
        a_model(version)
        (folder.path / "1").mkdir()
        (folder.path / "1" / "saved_model.pb").write_bytes(b"someone else's")

    assert folder.publish(overtaken).number == 2
    assert (folder.path / "1" / "saved_model.pb").read_bytes() == b"someone else's"


def test_what_dead_exports_left_is_removed_by_the_next(folder: ModelFolder) -> None:
    folder.publish(a_model)
    (folder.path / ".exporting-4711").mkdir()
    (folder.path / ".exporting-4711" / "saved_model.pb").write_bytes(b"half a gra")
    with folder.lock(waiting=pytest.fail):
        assert names(folder) == {"1", ".exporting.lock"}


def test_of_two_exports_the_second_waits_for_the_first(folder: ModelFolder) -> None:
    order: list[str] = []
    second_waits, first_done = threading.Event(), threading.Event()

    def second() -> None:
        with folder.lock(waiting=second_waits.set):
            order.append("second")
        first_done.set()

    with folder.lock(waiting=pytest.fail):
        thread = threading.Thread(target=second)
        thread.start()
        assert second_waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_the_lock_of_a_dead_process_is_free(folder: ModelFolder) -> None:
    program = (
        "import os, sys; from pathlib import Path; from imagenet_export.publishing import ModelFolder;"
        "ModelFolder(Path(sys.argv[1]), 'model').lock(waiting=None).__enter__(); print('locked', flush=True);"
        "os._exit(0)"  # without leaving the lock
    )
    command = [sys.executable, "-c", program, str(folder.path.parent)]
    died = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert died.stdout == "locked\n"
    with folder.lock(waiting=pytest.fail):
        pass


def test_only_the_newest_versions_made_here_are_kept_and_others_are_not_touched(folder: ModelFolder) -> None:
    folder.publish(a_model)  # by hand, say
    for _ in range(4):
        folder.publish(one_of_ours)
    removed = folder.prune(2, anyones=False)
    assert [version.number for version in removed] == [2, 3]
    assert numbers(folder) == [1, 4, 5]
    assert names(folder) == {"1", "4", "5"}


def test_versions_anyone_made_go_when_that_is_asked_for(folder: ModelFolder) -> None:
    for write in (a_model, one_of_ours, one_of_ours, a_model):
        folder.publish(write)
    assert [version.number for version in folder.prune(3, anyones=True)] == [1]
    assert numbers(folder) == [2, 3, 4]


def test_with_few_versions_none_is_removed(folder: ModelFolder) -> None:
    folder.publish(one_of_ours)
    assert folder.prune(2, anyones=True) == []
    assert numbers(folder) == [1]


def test_a_version_comes_back_from_its_record(folder: ModelFolder) -> None:
    version = folder.publish(one_of_ours)
    assert version.record is not None
    assert (version.record.model, version.record.trained) == ("model", False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": "model"}'])
def test_a_record_that_is_not_ours_is_none(folder: ModelFolder, text: str) -> None:
    version = folder.publish(a_model)
    (version.path / "assets.extra").mkdir()
    (version.path / "assets.extra" / "export.json").write_text(text)
    assert version.record is None
