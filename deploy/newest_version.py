"""Finds the newest version of an exported model. Standard library only, Python 3.8 or newer.

Usage: `python deploy/newest_version.py MODELS_DIR MODEL SERVING` prints its directory, or says why there is none that
the model server can load: `tensorflow` (TensorFlow Serving) or `local` (`local_tf_serving`).
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


def check_is_servable(version: Path, serving: str) -> None:
    """Raises `NoModel`."""
    if serving == "tensorflow" and not (version / "saved_model.pb").exists():
        raise NoModel(
            f"{version} has no saved_model.pb, so TensorFlow Serving can't serve it: append SERVING=local to the make "
            "commands to use this project's model server"
        )


if __name__ == "__main__":
    try:
        models_dir, model, serving = sys.argv[1:]
        version = newest_version(Path(models_dir).absolute(), model)
        check_is_servable(version, serving)
        print(version)
    except NoModel as error:
        sys.exit(f"make: {error}")
