"""`assets.extra/export.json`: what a published version was made from."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from imagenet_export.weights import Source, Weights

Precision = Literal["float32", "bfloat16"]

# TensorFlow Serving ignores unknown files in assets.extra.
FILE: Final = Path("assets.extra") / "export.json"


@dataclass(frozen=True, slots=True)
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
    """The number format in which the SavedModel computes."""

    @property
    def is_trained(self) -> bool:
        return self.weights == "imagenet"

    @property
    def weights_description(self) -> str:
        return {
            "directory": "ImageNet weights from IMAGENET_WEIGHTS_DIR",
            "keras": "ImageNet weights from Keras",
            "none": "UNTRAINED weights",
        }[self.weights_source]

    def write(self, version: Path) -> None:
        path = version / FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read(version: Path) -> ExportRecord | None:
    """Return the record of `version`, or None if this exporter did not write it."""
    try:
        values: dict[str, Any] = json.loads((version / FILE).read_text(encoding="utf-8"))
        known = {field.name: values[field.name] for field in fields(ExportRecord) if field.name in values}
        return ExportRecord(**known)
    except (OSError, ValueError, TypeError):
        return None
