"""Where weights are found."""

import hashlib
from pathlib import Path

import pytest

from model_export import weights
from tests.model_export.recipes import MOBILENET_V2


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An empty weights directory and an empty Keras cache."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return {"IMAGENET_WEIGHTS_DIR": str(tmp_path / "weights"), "KERAS_HOME": str(tmp_path / "keras")}


def test_a_file_in_the_directory_is_found_by_name(environ: dict[str, str]) -> None:
    file = Path(environ["IMAGENET_WEIGHTS_DIR"]) / "mobilenet_v2.weights.h5"
    file.write_bytes(b"weights")
    assert weights.find(MOBILENET_V2, environ) == weights.LocalWeights(file=file, missing=None, cached=None)


def test_a_file_missing_from_the_directory_is_reported_with_its_path(environ: dict[str, str]) -> None:
    expected = Path(environ["IMAGENET_WEIGHTS_DIR"]) / "mobilenet_v2.weights.h5"
    assert weights.find(MOBILENET_V2, environ) == weights.LocalWeights(file=None, missing=expected, cached=None)


@pytest.mark.parametrize("directory", [{}, {"IMAGENET_WEIGHTS_DIR": ""}])
def test_without_a_directory_nothing_is_missing(environ: dict[str, str], directory: dict[str, str]) -> None:
    without = {"KERAS_HOME": environ["KERAS_HOME"], **directory}
    assert weights.find(MOBILENET_V2, without) == weights.LocalWeights(file=None, missing=None, cached=None)


def test_a_download_is_found_in_the_cache_of_keras(environ: dict[str, str]) -> None:
    cached = Path(environ["KERAS_HOME"]) / "models" / MOBILENET_V2.application.keras_weights_file
    cached.write_bytes(b"weights")
    assert weights.find(MOBILENET_V2, environ).cached == cached


def test_files_with_different_content_have_different_identities(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"weights")
    (tmp_path / "two").write_bytes(b"weightz")
    one, two = (weights.origin_of_file(tmp_path / name) for name in ("one", "two"))
    assert one.identity == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert one.identity != two.identity
    assert (one.weights, one.source, one.is_trained) == ("imagenet", "directory", True)
