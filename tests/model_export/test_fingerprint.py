"""When the newest version is up to date."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import tensorflow as tf

from model_export import fingerprint
from model_export.record import ExportRecord
from model_export.weights import KERAS, UNTRAINED, LocalWeights, Origin, origin_of_file
from tests.model_export.recipes import INCEPTION_V3, MOBILENET_V2

NO_WEIGHTS: Final = LocalWeights(file=None, missing=None, cached=None)


def record_of(origin: Origin) -> ExportRecord:
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


def is_up_to_date(
    newest: ExportRecord,
    local: LocalWeights = NO_WEIGHTS,
    *,
    allow_untrained: bool = False,
    retry_download: bool = False,
) -> bool:
    return fingerprint.is_up_to_date(
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


def test_the_version_of_tensorflow_comes_from_the_package_metadata() -> None:
    assert fingerprint.tensorflow_version() == tf.__version__


def test_each_architecture_with_each_weights_has_its_own_fingerprint() -> None:
    fingerprints = {
        fingerprint.fingerprint(recipe, identity)
        for recipe in (MOBILENET_V2, INCEPTION_V3, replace(MOBILENET_V2, size=192))
        for identity in ("keras-imagenet", "untrained")
    }
    assert len(fingerprints) == 6


def test_a_version_with_another_fingerprint_is_outdated() -> None:
    older = replace(record_of(KERAS), fingerprint="0" * 64)
    assert not is_up_to_date(older)


def test_the_fingerprint_depends_on_the_sources_and_on_the_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = fingerprint.fingerprint(MOBILENET_V2, "untrained")
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "tensorflow_version", lambda: "2.22.0")
        assert fingerprint.fingerprint(MOBILENET_V2, "untrained") != before
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "__file__", __file__)  # other sources
        assert fingerprint.fingerprint(MOBILENET_V2, "untrained") != before
    assert fingerprint.fingerprint(MOBILENET_V2, "untrained") == before


def test_a_version_made_with_the_same_file_is_up_to_date(file: Path, in_directory: LocalWeights) -> None:
    assert is_up_to_date(record_of(origin_of_file(file)), in_directory)


def test_a_version_is_outdated_if_the_content_of_its_file_changed(file: Path, in_directory: LocalWeights) -> None:
    newest = record_of(origin_of_file(file))
    file.write_bytes(b"trained for weeks")
    assert not is_up_to_date(newest, in_directory)


@pytest.mark.parametrize("origin", [KERAS, UNTRAINED])
def test_a_weights_file_replaces_keras_and_untrained_weights(origin: Origin, in_directory: LocalWeights) -> None:
    assert not is_up_to_date(record_of(origin), in_directory, allow_untrained=True)


def test_weights_of_keras_are_kept_while_there_is_no_weights_file() -> None:
    assert is_up_to_date(record_of(KERAS))
    assert is_up_to_date(record_of(KERAS), allow_untrained=True, retry_download=True)


def test_trained_weights_are_kept_if_their_file_was_removed(file: Path) -> None:
    assert is_up_to_date(record_of(origin_of_file(file)), allow_untrained=True)


def test_untrained_weights_are_kept_only_while_they_are_allowed() -> None:
    assert is_up_to_date(record_of(UNTRAINED), allow_untrained=True)
    assert not is_up_to_date(record_of(UNTRAINED))


def test_untrained_weights_are_replaced_if_a_download_exists_or_is_requested(tmp_path: Path) -> None:
    downloaded = LocalWeights(file=None, missing=None, cached=tmp_path / "download.h5")
    assert not is_up_to_date(record_of(UNTRAINED), downloaded, allow_untrained=True)
    assert not is_up_to_date(record_of(UNTRAINED), allow_untrained=True, retry_download=True)
