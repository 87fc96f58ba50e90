"""Runs the command line.

TensorFlow is imported only if there is something to export: if the newest version is up to date, the command takes
milliseconds.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_export import arguments, weights
from model_export.advice import advice
from model_export.arguments import MIN_VERSIONS, Arguments
from model_export.errors import DependencyMissing, ExportError
from model_export.fingerprint import fingerprint, is_up_to_date
from model_export.publishing import ModelFolder, Version

if TYPE_CHECKING:
    from model_export.progress import Progress


def main(command_line: Sequence[str]) -> int:
    """Export the source unless the newest version is up to date. Returns the exit status."""
    name = "model_export"
    try:
        args = arguments.parse(command_line)
        name = args.recipe.name
        version = _newest_if_up_to_date(args)
        if version is None:
            version = _export(args)
        else:
            print(f"{name}: version {version.number} is up to date")
    except ExportError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted, nothing was published", file=sys.stderr)
        return 130
    _warn_if_untrained(version)
    return 0


def _newest_if_up_to_date(args: Arguments) -> Version | None:
    recipe = args.recipe
    newest = ModelFolder(args.models_dir, recipe.name).newest()
    if args.force or newest is None or newest.record is None or not newest.is_complete:
        return None
    if args.location.source or args.location.weights:
        identity = weights.origin_of_own(args.location).identity
        return newest if newest.record.fingerprint == fingerprint(recipe, identity, args.precision) else None
    up_to_date = is_up_to_date(
        recipe,
        newest.record,
        weights.find(recipe),
        allow_untrained=args.allow_untrained,
        retry_download=args.retry_download,
        precision=args.precision,
    )
    return newest if up_to_date else None


def _export(args: Arguments) -> Version:
    from model_export.progress import Progress  # imports rich, which is slow

    progress = Progress(args.recipe.name)
    folder = ModelFolder(args.models_dir, args.recipe.name)
    with folder.lock(waiting=lambda: progress.print("waiting for another export of this model to finish")):
        if version := _newest_if_up_to_date(args):
            progress.print(f"version {version.number}, published by the other export, is up to date")
            return version
        version = _export_with_tensorflow(args, folder, progress)
        progress.print(f"version {version.number} is in {version.path}")
        for line in advice(args.recipe, version):
            progress.print(line)
        for removed in folder.prune(args.keep or MIN_VERSIONS, include_foreign=args.keep is not None):
            progress.print(f"removed version {removed.number}")
        return version


def _export_with_tensorflow(args: Arguments, folder: ModelFolder, progress: "Progress") -> Version:
    _prepare_environment()
    try:
        with progress.step("starting TensorFlow"):
            from model_export.export import ExportOptions, export
    except ModuleNotFoundError as error:
        raise DependencyMissing(error.name) from error
    options = ExportOptions(allow_untrained=args.allow_untrained, force=args.force, precision=args.precision)
    local = weights.find(args.recipe) if args.recipe.kind == "application" else None
    return export(args.recipe, args.location, folder, local, options, progress)


def _prepare_environment() -> None:
    """Set what TensorFlow and Keras read once, at import. The user's own settings take precedence."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
    # oneDNN logs at every import, and its order of additions, hence its rounding, differs between machines.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _warn_if_untrained(version: Version) -> None:
    record = version.record
    if record is not None and not record.is_trained:
        print(
            f"!!! {record.model}: UNTRAINED WEIGHTS, its labels mean nothing (--retry-download tries Keras again) !!!"
        )
