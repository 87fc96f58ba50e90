"""Reads `--labels`: a JSON array of strings, as the services' LABELS, or a text with one label per line."""

import json
from pathlib import Path
from typing import Any, Final

from model_export.errors import LabelsMismatch, SourceUnreadable
from model_export.recipe import Recipe

BACKGROUND: Final = "background"
FILE: Final = Path("assets.extra") / "labels.json"


def read(path: Path) -> tuple[str, ...]:
    """Raises SourceUnreadable."""
    try:
        text = path.read_text(encoding="utf-8")
        labels: Any = json.loads(text) if path.suffix == ".json" else text.splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SourceUnreadable(
            f"--labels: can't read {path} ({error}); it must be a JSON array of strings, or a text file in UTF-8 with "
            "one label per line"
        ) from error
    if (
        not isinstance(labels, list)
        or not labels
        or not all(isinstance(label, str) and label.strip() for label in labels)
    ):
        raise SourceUnreadable(
            f"--labels: {path} must hold nothing but labels, at least one, and none of them may be empty"
        )
    return tuple(labels)


def check(recipe: Recipe, classes: int) -> None:
    """Raises LabelsMismatch unless there are as many labels as columns of the version's scores."""
    columns = classes + recipe.background
    if recipe.labels is None or len(recipe.labels) == columns:
        return
    advice = "use the labels that it was trained with, in the order of its outputs"
    if len(recipe.labels) == columns + 1:
        advice += "; if the first label is a class that it does not have, pass --background"
    raise LabelsMismatch(
        f"--labels has {len(recipe.labels)} labels, but {recipe.name} returns {columns} scores; {advice}"
    )


def write(recipe: Recipe, version: Path) -> None:
    if recipe.labels is not None:
        path = version / FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(recipe.labels, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
