"""`assets.extra/export.json`: what a published version was made from."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

from model_export.weights import Weights, WeightsSource

Precision = Literal["float32", "bfloat16"]

# TensorFlow Serving ignores unknown files in assets.extra.
FILE: Final = Path("assets.extra") / "export.json"

SAVED_MODEL_FILES: Final = ("saved_model.pb",)
IR_FILES: Final = tuple(f"assets.extra/openvino/{name}" for name in ("model.xml", "model.bin", "signatures.pb"))
SERVED_FILES: Final = (*SAVED_MODEL_FILES, *IR_FILES)


@dataclass(frozen=True, slots=True)
class ExportRecord:
    model: str
    architecture: str
    """The network of `keras.applications`, or the file name of one's own model."""
    input_size: int | None
    """Height and width of images in pixels."""
    weights: Weights
    weights_source: WeightsSource
    weights_identity: str
    fingerprint: str
    tensorflow: str
    created_at: str
    """RFC 3339, UTC."""
    precision: Precision = "float32"
    """The number format in which the SavedModel computes."""
    recipe: str = ""
    """The hash of what the version was made with, other than the weights; empty in records of older exporters."""
    files: list[str] = field(default_factory=lambda: list(SERVED_FILES))
    """What a server reads, without which the version is incomplete."""
    difference: float | None = None
    """The largest difference of a score from the source's."""

    @property
    def is_trained(self) -> bool:
        return self.weights != "untrained"

    @property
    def weights_description(self) -> str:
        return {
            "directory": "ImageNet weights from IMAGENET_WEIGHTS_DIR",
            "keras": "ImageNet weights from Keras",
            "none": "UNTRAINED weights",
            "file": "its own weights",
        }[self.weights_source]

    def write(self, version: Path) -> None:
        path = version / FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read(version: Path) -> ExportRecord | None:
    """Return the record of `version`, or None if this exporter did not write it."""
    try:
        values: dict[str, Any] = json.loads((version / FILE).read_text(encoding="utf-8"))
        known = {each.name: values[each.name] for each in fields(ExportRecord) if each.name in values}
        return ExportRecord(**known)
    except (OSError, ValueError, TypeError):
        return None
