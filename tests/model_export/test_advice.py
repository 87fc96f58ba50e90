"""What an export prints when it has published a version, so that the services serve it well."""

from dataclasses import replace
from pathlib import Path

import pytest

from model_export import labels
from model_export.advice import NORMALIZED_SIDE, advice
from model_export.publishing import Version
from model_export.recipe import Recipe, Resize
from model_export.weights import KERAS
from proxy.settings import Settings
from tests.model_export.test_fingerprint import record_of


def lines(path: Path, recipe: Recipe) -> list[str]:
    """Write a version that has nothing but a record and labels."""
    replace(record_of(KERAS), input_size=recipe.size).write(path)
    labels.write(recipe, path)
    return list(advice(recipe, Version(1, path)))


def test_the_services_get_the_copy_of_the_labels_which_is_json(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, Recipe("own", "own.keras", size=224, labels=("cat", "dog")))
    assert f"{tmp_path}/assets.extra/labels.json: set LABELS" in line


@pytest.mark.parametrize(
    ("size", "resize", "side"),
    [
        (224, "stretch", None),
        (299, "stretch", None),  # the accurate model of the demo
        (300, "stretch", 450),
        (600, "stretch", 900),
        (256, "crop", None),
        (299, "crop", 513),
    ],
)
def test_a_model_of_large_images_needs_a_larger_normalized_side(
    size: int, resize: Resize, side: int | None, tmp_path: Path
) -> None:
    printed = lines(tmp_path, Recipe("own", "own.keras", size=size, resize=resize))
    assert [line.partition(":")[0] for line in printed] == (
        [] if side is None else [f"set NORMALIZED_SIDE to at least {side}"]
    )


def test_the_default_is_that_of_the_proxy() -> None:
    assert Settings.model_fields["normalized_side"].default == NORMALIZED_SIDE
