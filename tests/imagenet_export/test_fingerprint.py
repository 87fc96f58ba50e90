"""Whether the newest version is still the right one."""

from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf

from imagenet_export import fingerprint
from imagenet_export.record import ExportRecord
from imagenet_export.weights import KERAS, UNTRAINED, LocalWeights, Origin, origin_of_file
from imagenet_inception_v3.export import INCEPTION_V3
from imagenet_mobilenet_v2.export import MOBILENET_V2

NOTHING = LocalWeights(file=None, missing=None, cached=None)


def made_with(origin: Origin) -> ExportRecord:
    return ExportRecord(
        model="mobilenet_v2",
        architecture="MobileNetV2",
        input_size=224,
        weights=origin.weights,
        weights_source=origin.source,
        weights_identity=origin.identity,
        fingerprint=fingerprint.fingerprint(MOBILENET_V2, origin.identity),
        tensorflow="2.21.0",
        created_at="2026-01-01T00:00:00Z",
    )


def up_to_date(
    newest: ExportRecord, local: LocalWeights = NOTHING, *, allow_untrained: bool = False, retry_download: bool = False
) -> bool:
    return fingerprint.up_to_date(
        MOBILENET_V2, newest, local, allow_untrained=allow_untrained, retry_download=retry_download
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mobilenet_v2.weights.h5"
    path.write_bytes(b"trained for days")
    return path


@pytest.fixture
def in_directory(file: Path) -> LocalWeights:
    return LocalWeights(file=file, missing=None, cached=None)


def test_the_version_of_tensorflow_is_that_of_the_package() -> None:
    assert fingerprint.tensorflow_version() == tf.__version__


def test_architecture_and_weights_tell_fingerprints_apart() -> None:
    prints = {
        fingerprint.fingerprint(architecture, identity)
        for architecture in (MOBILENET_V2, INCEPTION_V3, replace(MOBILENET_V2, input_size=192))
        for identity in ("keras-imagenet", "untrained")
    }
    assert len(prints) == 6


def test_a_version_of_another_recipe_is_not_up_to_date() -> None:
    older = replace(made_with(KERAS), fingerprint="0" * 64)
    assert not up_to_date(older)


def test_the_recipe_includes_every_source_of_the_exporter_and_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.fingerprint(MOBILENET_V2, "untrained")
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "tensorflow_version", lambda: "2.22.0")
        assert fingerprint.fingerprint(MOBILENET_V2, "untrained") != before
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "__file__", __file__)  # other sources
        assert fingerprint.fingerprint(MOBILENET_V2, "untrained") != before
    assert fingerprint.fingerprint(MOBILENET_V2, "untrained") == before


def test_a_version_of_the_same_file_is_up_to_date(file: Path, in_directory: LocalWeights) -> None:
    assert up_to_date(made_with(origin_of_file(file)), in_directory)


def test_a_file_of_other_content_is_exported(file: Path, in_directory: LocalWeights) -> None:
    newest = made_with(origin_of_file(file))
    file.write_bytes(b"trained for weeks")
    assert not up_to_date(newest, in_directory)


@pytest.mark.parametrize("origin", [KERAS, UNTRAINED])
def test_a_file_replaces_what_keras_or_nobody_gave(origin: Origin, in_directory: LocalWeights) -> None:
    assert not up_to_date(made_with(origin), in_directory, allow_untrained=True)


def test_keras_weights_stay_while_there_is_nothing_better() -> None:
    assert up_to_date(made_with(KERAS))
    assert up_to_date(made_with(KERAS), allow_untrained=True, retry_download=True)


def test_trained_weights_stay_when_their_file_is_gone(file: Path) -> None:
    assert up_to_date(made_with(origin_of_file(file)), allow_untrained=True)


def test_untrained_weights_stay_only_while_they_are_allowed() -> None:
    assert up_to_date(made_with(UNTRAINED), allow_untrained=True)
    assert not up_to_date(made_with(UNTRAINED))


def test_untrained_weights_give_way_to_a_download_that_is_there_or_asked_for(tmp_path: Path) -> None:
    downloaded = LocalWeights(file=None, missing=None, cached=tmp_path / "download.h5")
    assert not up_to_date(made_with(UNTRAINED), downloaded, allow_untrained=True)
    assert not up_to_date(made_with(UNTRAINED), allow_untrained=True, retry_download=True)
