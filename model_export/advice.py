"""What to set or to know so that the services serve a new version well. Imports neither TensorFlow nor Keras."""

from collections.abc import Iterator
from typing import Final

from model_export import labels
from model_export.publishing import Version
from model_export.recipe import Recipe, resized_side

NORMALIZED_SIDE: Final = 448
"""The proxy's default: the shorter side to which it scales down images that are at least twice as large."""


def advice(recipe: Recipe, version: Version) -> Iterator[str]:
    if recipe.kind == "onnx":
        yield "made from ONNX: `python -m local_tf_serving` serves it, TensorFlow Serving can't"
    if (copy := version.path / labels.FILE).is_file():
        yield f"its labels are in {copy}: set LABELS, FAST_LABELS or ACCURATE_LABELS to that file"
    size = version.record.input_size if version.record is not None else None
    if size is not None and (side := suitable_normalized_side(recipe, size)) > NORMALIZED_SIDE:
        yield f"set NORMALIZED_SIDE to at least {side}: with its default, {NORMALIZED_SIDE}, photographs lose detail"


def suitable_normalized_side(recipe: Recipe, size: int) -> int:
    """One and a half times the shorter side of the images that the version resizes to."""
    return int(1.5 * (resized_side(size) if recipe.resize == "crop" else size))
