"""Hashes the inputs of a version, and decides whether the newest version is up to date.

Does not import TensorFlow: its version is read from the installed package's metadata.
"""

import hashlib
import json
from importlib import metadata
from pathlib import Path

from model_export.errors import DependencyMissing
from model_export.recipe import Recipe
from model_export.record import ExportRecord, Precision
from model_export.weights import LocalWeights, origin_of_file


def fingerprint(recipe: Recipe, weights_identity: str, precision: Precision = "float32") -> str:
    """SHA-256 over the exporter's sources, the versions of its libraries, and its inputs."""
    ingredients = {
        "sources": _source_hashes(),
        "tensorflow": tensorflow_version(),
        "keras": _installed_version("keras"),
        "openvino": _installed_version("openvino"),
        "recipe": recipe.digest(),
        "weights": weights_identity,
        "precision": precision,
    }
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def tensorflow_version() -> str:
    return _installed_version("tensorflow-cpu", "tensorflow")


def _installed_version(*distributions: str) -> str:
    """The version of the first of `distributions` that is installed."""
    for distribution in distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    raise DependencyMissing(distributions[-1])


def is_up_to_date(
    recipe: Recipe,
    newest: ExportRecord,
    local: LocalWeights,
    *,
    allow_untrained: bool,
    retry_download: bool,
    precision: Precision = "float32",
) -> bool:
    """Whether another export would reproduce `newest` or produce nothing better.

    If IMAGENET_WEIGHTS_DIR has a file, `newest` must have been made with it. Otherwise a version with trained weights
    stays, regardless of their source: an export could only find the same weights or untrained ones. A version with
    untrained weights stays while they are allowed and Keras's cache is empty. A failed download is retried on request,
    not at every start.
    """
    if newest.fingerprint != fingerprint(recipe, newest.weights_identity, precision):
        return False
    if local.file is not None:
        return newest.weights_identity == origin_of_file(local.file).identity
    if newest.is_trained:
        return True
    return allow_untrained and not retry_download and local.cached is None


def _source_hashes() -> dict[str, str]:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sources}
