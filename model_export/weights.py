"""Finds the weights on this machine, without TensorFlow, so that checking whether to export takes milliseconds."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from model_export.errors import SourceUnreadable
from model_export.recipe import Location, Recipe

WEIGHTS_DIR: Final = "IMAGENET_WEIGHTS_DIR"
"""The environment variable that names a directory with `mobilenet_v2.weights.h5` and the like."""

Weights = Literal["imagenet", "untrained", "own"]
"""`own`: those of a model of one's own, or of `--weights`."""
WeightsSource = Literal["directory", "keras", "none", "file"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a network's weights. Different weights have different identities."""

    weights: Weights
    source: WeightsSource
    identity: str

    @property
    def is_trained(self) -> bool:
        return self.weights != "untrained"


KERAS: Final = Origin("imagenet", "keras", "keras-imagenet")
UNTRAINED: Final = Origin("untrained", "none", "untrained")


def origin_of_file(path: Path) -> Origin:
    return Origin("imagenet", "directory", _file_identity(path))


def origin_of_own(location: Location) -> Origin:
    """The origin of a model of one's own, or of the weights in `--weights`. Raises SourceUnreadable."""
    path = location.source or location.weights
    assert path is not None, "only called if one's own model or weights are given"  # noqa: S101 (a bug, not an input)
    try:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
        else:  # an ONNX file may keep its weights in files beside it: model.onnx.data, model.data
            data = {path.with_name(path.name + ".data"), path.with_name(path.name + "_data"), path.with_suffix(".data")}
            files = [path, *sorted(file for file in data if file.is_file())]
        identities = [f"{file.relative_to(path.parent)} {_file_identity(file)}" for file in files]
    except OSError as error:
        raise SourceUnreadable(f"can't read {path} ({error.strerror or error})") from error
    # A path's own name does not matter, unless it holds several files.
    identity = identities[0].rsplit(" ", 1)[1] if len(identities) == 1 else _text_identity("\n".join(identities))
    return Origin("own", "file", identity)


def _file_identity(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _text_identity(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class LocalWeights:
    file: Path | None
    """The file in IMAGENET_WEIGHTS_DIR, which takes precedence."""

    missing: Path | None
    """Where that file should be, if the variable is set but the file does not exist."""

    cached: Path | None
    """Keras's download from an earlier run."""


def find(recipe: Recipe, environ: Mapping[str, str] = os.environ) -> LocalWeights:
    cached = _keras_cache(environ) / recipe.application.keras_weights_file
    directory = environ.get(WEIGHTS_DIR, "")
    expected = Path(directory).expanduser() / recipe.application.weights_file if directory else None
    exists = expected is not None and expected.is_file()
    return LocalWeights(
        file=expected if exists else None,
        missing=None if exists else expected,
        cached=cached if cached.is_file() else None,
    )


def _keras_cache(environ: Mapping[str, str]) -> Path:
    """The folder of `keras.utils.get_file`'s downloads, by Keras 3's own rules (keras/src/utils/file_utils.py)."""
    home = Path(environ.get("KERAS_HOME", "~/.keras")).expanduser()
    if not os.access(home, os.W_OK):
        home = Path(tempfile.gettempdir()) / ".keras"
    return home / "models"
