"""Finds the weights on this machine, without TensorFlow, so that checking whether to export takes milliseconds."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from imagenet_export.architecture import Architecture

WEIGHTS_DIR: Final = "IMAGENET_WEIGHTS_DIR"
"""The environment variable that names a directory with `<architecture>.weights.h5` files."""

Weights = Literal["imagenet", "untrained"]
Source = Literal["directory", "keras", "none"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a network's weights. Different weights have different identities."""

    weights: Weights
    source: Source
    identity: str

    @property
    def is_trained(self) -> bool:
        return self.weights == "imagenet"


KERAS: Final = Origin("imagenet", "keras", "keras-imagenet")
UNTRAINED: Final = Origin("untrained", "none", "untrained")


def origin_of_file(path: Path) -> Origin:
    with path.open("rb") as file:
        return Origin("imagenet", "directory", f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


@dataclass(frozen=True, slots=True)
class LocalWeights:
    file: Path | None
    """The file in IMAGENET_WEIGHTS_DIR, which takes precedence."""

    missing: Path | None
    """Where that file should be, if the variable is set but the file does not exist."""

    cached: Path | None
    """Keras's download from an earlier run."""


def find(architecture: Architecture, environ: Mapping[str, str] = os.environ) -> LocalWeights:
    cached = _keras_cache(environ) / architecture.keras_weights_file
    directory = environ.get(WEIGHTS_DIR, "")
    expected = Path(directory).expanduser() / architecture.weights_file if directory else None
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
