"""The command line of both exports.

TensorFlow is imported only if there is something to export: if the newest version is up to date, the command takes
milliseconds.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from imagenet_export import weights
from imagenet_export.architecture import Architecture
from imagenet_export.errors import DependencyMissing, ExportError
from imagenet_export.fingerprint import is_up_to_date
from imagenet_export.publishing import ModelFolder, Version
from imagenet_export.record import Precision

if TYPE_CHECKING:
    from imagenet_export.progress import Progress

MIN_VERSIONS: Final = 2
"""The newest version, and the one that a server still serves while it loads the newest."""


def main(architecture: Architecture, arguments: Sequence[str] | None = None) -> int:
    """Export `architecture` unless its newest version is up to date. Returns the exit status."""
    args = _parser(architecture).parse_args(arguments)
    try:
        version = _newest_if_up_to_date(architecture, args)
        if version is None:
            version = _export(architecture, args)
        else:
            print(f"{architecture.name}: version {version.number} is up to date")
    except ExportError as error:
        print(f"{architecture.name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{architecture.name}: interrupted, nothing was published", file=sys.stderr)
        return 130
    _warn_if_untrained(version)
    return 0


def _newest_if_up_to_date(architecture: Architecture, args: argparse.Namespace) -> Version | None:
    newest = ModelFolder(args.models_dir, architecture.name).newest()
    if args.force or newest is None or newest.record is None or not newest.is_complete:
        return None
    up_to_date = is_up_to_date(
        architecture,
        newest.record,
        weights.find(architecture),
        allow_untrained=args.allow_untrained,
        retry_download=args.retry_download,
        precision=args.precision,
    )
    return newest if up_to_date else None


def _export(architecture: Architecture, args: argparse.Namespace) -> Version:
    from imagenet_export.progress import Progress  # imports rich, which is slow

    progress = Progress(architecture.name)
    folder = ModelFolder(args.models_dir, architecture.name)
    with folder.lock(waiting=lambda: progress.print("waiting for another export of this model to finish")):
        if version := _newest_if_up_to_date(architecture, args):
            progress.print(f"version {version.number}, published by the other export, is up to date")
            return version
        version = _export_with_tensorflow(architecture, folder, args, progress)
        progress.print(f"version {version.number} is in {version.path}")
        for removed in folder.prune(args.keep or MIN_VERSIONS, include_foreign=args.keep is not None):
            progress.print(f"removed version {removed.number}")
        return version


def _export_with_tensorflow(
    architecture: Architecture, folder: ModelFolder, args: argparse.Namespace, progress: "Progress"
) -> Version:
    _prepare_environment()
    try:
        with progress.step("starting TensorFlow"):
            from imagenet_export.export import ExportOptions, export
    except ModuleNotFoundError as error:
        raise DependencyMissing(error.name) from error
    options = ExportOptions(allow_untrained=args.allow_untrained, force=args.force, precision=args.precision)
    return export(architecture, folder, weights.find(architecture), options, progress)


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


def _parser(architecture: Architecture) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m imagenet_{architecture.name}.export",
        description=f"Export {architecture.constructor} with ImageNet weights for TensorFlow Serving.",
        epilog=f"Weights: {architecture.weights_file} in ${weights.WEIGHTS_DIR}, else Keras's cache or download.",
    )
    add = parser.add_argument
    add("--models-dir", type=Path, required=True, metavar="DIR", help="where TensorFlow Serving looks for models")
    add("--allow-untrained", action="store_true", help="if there are no ImageNet weights, export random ones")
    add("--retry-download", action="store_true", help="try again to replace untrained weights")
    precision_help = "TensorFlow's number format; bfloat16 is less exact, and faster on processors that support it"
    add("--precision", choices=get_args(Precision), default="float32", help=precision_help)
    add("--force", action="store_true", help="export even if nothing changed")
    keep_help = (
        f"keep only the N newest versions, including those another program wrote "
        f"(default: the {MIN_VERSIONS} newest of this exporter, and all others)"
    )
    add("--keep", type=_parse_keep, metavar="N", help=keep_help)
    return parser


def _parse_keep(text: str) -> int:
    number = int(text)
    if number < MIN_VERSIONS:
        raise argparse.ArgumentTypeError(
            f"must be at least {MIN_VERSIONS}, because a server may still serve the version before the newest"
        )
    return number
