"""Reads the names of the classes, in the order of a model's scores."""

import json
from pathlib import Path


class BadLabels(Exception):
    pass


def read_labels(path: Path, variable: str = "LABELS") -> tuple[str, ...]:
    """Read a JSON array of strings. For anything else, raises `BadLabels`, whose message says what to do.

    `variable` is the name of the setting that names the file.
    """
    try:
        labels = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadLabels(
            f"{path} cannot be read as labels: {error}; set {variable} to a file with a JSON array of names"
        ) from error
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise BadLabels(f"{path} must hold one JSON array of strings, one name for each score of the model")
    try:
        "".join(labels).encode()
    except UnicodeEncodeError as error:
        raise BadLabels(
            f"{path} has a name with half a surrogate pair ({error.reason}): write both halves of the character"
        ) from error
    return tuple(labels)
