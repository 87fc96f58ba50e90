"""The recipes of the exported networks, as the command line describes them."""

from typing import Final

from imagenet_inception_v3 import export as inception_v3
from imagenet_mobilenet_v2 import export as mobilenet_v2
from model_export import arguments
from model_export.recipe import Recipe

MOBILENET_V2: Final = arguments.parse(mobilenet_v2.MOBILENET_V2).recipe
INCEPTION_V3: Final = arguments.parse(inception_v3.INCEPTION_V3).recipe


def command_line(recipe: Recipe) -> list[str]:
    """The arguments that describe a recipe of a network of keras.applications with 1001 labels."""
    assert recipe.kind == "application"
    assert recipe.background
    return [recipe.source, "--name", recipe.name, "--background"]
