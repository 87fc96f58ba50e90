"""Finds the newest version of an exported model. Standard library only, Python 3.8 or newer.

Usage: `python deploy/newest_version.py MODELS_DIR MODEL` prints its directory, or says why there is none.
"""

from __future__ import annotations

import sys
from pathlib import Path


class NoModel(Exception):
    """The message says where a model was looked for, and what to do."""


def newest_version(models_dir: Path, model: str) -> Path:
    """Raises `NoModel`."""
    directory = models_dir / model
    versions = [path for path in directory.glob("[0-9]*") if path.name.isdigit() and any(path.iterdir())]
    if not versions:
        raise NoModel(
            f"there is no model {model!r}: no version was found in {directory} (such as {directory / '1'}). Export it "
            f"with `python -m model_export SOURCE --name {model} --models-dir {models_dir}`, or set MODELS_DIR to the "
            "folder that contains it"
        )
    return max(versions, key=lambda path: int(path.name))


if __name__ == "__main__":
    try:
        print(newest_version(Path(sys.argv[1]).absolute(), sys.argv[2]))
    except NoModel as error:
        sys.exit(f"make: {error}")
