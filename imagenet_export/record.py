"""`assets.extra/export.json`: what a published version is made of."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from imagenet_export.weights import Source, Weights

Precision = Literal["float32", "bfloat16"]

# TensorFlow Serving ignores files it does not know in assets.extra.
_FILE = Path("assets.extra") / "export.json"


@dataclass(frozen=True)
class ExportRecord:
    model: str
    architecture: str
    input_size: int
    weights: Weights
    weights_source: Source
    weights_identity: str
    fingerprint: str
    tensorflow: str
    created_at: str
    """RFC 3339, UTC."""
    precision: Precision = "float32"
    """What the SavedModel computes in."""

    @property
    def trained(self) -> bool:
        return self.weights == "imagenet"

    @property
    def weights_in_words(self) -> str:
        return {
            "directory": "ImageNet weights from IMAGENET_WEIGHTS_DIR",
            "keras": "ImageNet weights from Keras",
            "none": "UNTRAINED weights",
        }[self.weights_source]

    def write(self, version: Path) -> None:
        path = version / _FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read(version: Path) -> ExportRecord | None:
    """The record of a version, or None where this exporter did not write one."""
    try:
        values: dict[str, Any] = json.loads((version / _FILE).read_text(encoding="utf-8"))
        known = {field.name: values[field.name] for field in fields(ExportRecord) if field.name in values}
        return ExportRecord(**known)
    except (OSError, ValueError, TypeError):
        return None
