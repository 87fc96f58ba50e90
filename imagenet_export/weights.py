"""Which weights this machine has. Found without TensorFlow, so that a start with nothing to do takes no time."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagenet_export.architecture import Architecture

WEIGHTS_DIR = "IMAGENET_WEIGHTS_DIR"
"""The environment variable that names a directory with `<architecture>.weights.h5` files."""

Weights = Literal["imagenet", "untrained"]
Source = Literal["directory", "keras", "none"]


@dataclass(frozen=True)
class Origin:
    """Where a network's weights come from. `identity` tells any two sets of weights apart."""

    weights: Weights
    source: Source
    identity: str

    @property
    def trained(self) -> bool:
        return self.weights == "imagenet"


KERAS = Origin("imagenet", "keras", "keras-imagenet")
UNTRAINED = Origin("untrained", "none", "untrained")


def origin_of_file(path: Path) -> Origin:
    with path.open("rb") as file:
        return Origin("imagenet", "directory", f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


@dataclass(frozen=True)
class LocalWeights:
    """What was found where."""

    file: Path | None
    """The file in IMAGENET_WEIGHTS_DIR: it comes first."""

    missing: Path | None
    """Where that file should be, if the variable is set and the file is not there."""

    cached: Path | None
    """Keras's download, from an earlier run."""


def find(architecture: Architecture, environ: Mapping[str, str] = os.environ) -> LocalWeights:
    cached = _keras_cache(environ) / architecture.keras_weights_file
    directory = environ.get(WEIGHTS_DIR, "")
    expected = Path(directory).expanduser() / architecture.weights_file if directory else None
    there = expected is not None and expected.is_file()
    return LocalWeights(
        file=expected if there else None,
        missing=None if there else expected,
        cached=cached if cached.is_file() else None,
    )


def _keras_cache(environ: Mapping[str, str]) -> Path:
    """The folder of `keras.utils.get_file`'s downloads, by Keras 3's own rules (keras/src/utils/file_utils.py)."""
    home = Path(environ.get("KERAS_HOME", "~/.keras")).expanduser()
    if not os.access(home, os.W_OK):
        home = Path(tempfile.gettempdir()) / ".keras"
    return home / "models"
