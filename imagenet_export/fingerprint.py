"""What a version is made from, in one hash; and whether the newest version is still the right one.

No TensorFlow: its version is read from the installed package's metadata.
"""

import hashlib
import json
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from imagenet_export.architecture import Architecture
from imagenet_export.errors import DependencyMissing
from imagenet_export.record import ExportRecord, Precision
from imagenet_export.weights import LocalWeights, origin_of_file


def fingerprint(architecture: Architecture, weights_identity: str, precision: Precision = "float32") -> str:
    """SHA-256 over the exporter's sources, the versions of what it runs, and all that may differ."""
    ingredients = {
        "sources": _sources(),
        "tensorflow": tensorflow_version(),
        "keras": _installed("keras"),
        "openvino": _installed("openvino"),
        "architecture": asdict(architecture),
        "weights": weights_identity,
        "precision": precision,
    }
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def tensorflow_version() -> str:
    return _installed("tensorflow-cpu", "tensorflow")


def _installed(*distributions: str) -> str:
    """The version of the first of `distributions` that is installed."""
    for distribution in distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    raise DependencyMissing(distributions[-1])


def up_to_date(
    architecture: Architecture,
    newest: ExportRecord,
    local: LocalWeights,
    *,
    allow_untrained: bool,
    retry_download: bool,
    precision: Precision = "float32",
) -> bool:
    """Whether an export would give `newest` again, or nothing better.

    A file in IMAGENET_WEIGHTS_DIR must be the one `newest` was made with. Without one, trained weights stay, wherever
    they came from: what could follow is the same or untrained. Untrained ones stay while they are allowed and there is
    nothing to replace them; a download that failed is not tried at every start, only on request.
    """
    if newest.fingerprint != fingerprint(architecture, newest.weights_identity, precision):
        return False
    if local.file is not None:
        return newest.weights_identity == origin_of_file(local.file).identity
    if newest.trained:
        return True
    return allow_untrained and not retry_download and local.cached is None


def _sources() -> dict[str, str]:
    here = Path(__file__).parent
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(here.glob("*.py"))}
