"""The height and width that the shape of a model of one's own says."""

from pathlib import Path

import tensorflow as tf

from model_export.errors import SourceUnsupported
from model_export.recipe import Recipe


def image_size(path: Path, recipe: Recipe, shape: tf.TensorShape) -> int | None:
    """None if the model takes images of any size, or no images. Raises SourceUnsupported.

    That is, if the shape is not one of square images in the recipe's layout.
    """
    if recipe.input != "image" or shape.rank is None:
        return None
    dimensions = shape.as_list()
    channels, height, width = (-1, 1, 2) if recipe.layout == "nhwc" else (1, 2, 3)
    if len(dimensions) != 4:
        raise SourceUnsupported(f"{path} takes {dimensions}; it must take images, [N, height, width, 3] or [N, 3, …]")
    if dimensions[channels] not in (None, 3):
        other = {"nhwc": "nchw", "nchw": "nhwc"}[recipe.layout]
        has_other = dimensions[{"nhwc": 1, "nchw": -1}[recipe.layout]] == 3
        advice = f"pass --layout {other}" if has_other else "it must take three channels, RGB"
        raise SourceUnsupported(f"{path} takes {dimensions}, which is not the layout {recipe.layout}: {advice}")
    if dimensions[height] != dimensions[width]:
        raise SourceUnsupported(f"{path} takes {dimensions}; only square inputs are supported")
    return int(dimensions[height]) if dimensions[height] is not None else None
