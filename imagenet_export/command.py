"""The command line of both exports.

TensorFlow is imported only once it is known that there is something to export: a start that finds its version up to
date takes milliseconds.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from imagenet_export import weights
from imagenet_export.architecture import Architecture
from imagenet_export.errors import DependencyMissing, ExportError
from imagenet_export.fingerprint import up_to_date
from imagenet_export.publishing import ModelFolder, Version
from imagenet_export.record import Precision

if TYPE_CHECKING:
    from imagenet_export.progress import Progress

_KEPT = 2
"""Versions: the newest, and the one a server serves until it has loaded the newest."""


def main(architecture: Architecture, arguments: Sequence[str] | None = None) -> int:
    """Export `architecture` unless its newest version is up to date. Returns the exit status."""
    options = _parser(architecture).parse_args(arguments)
    try:
        version = _newest_if_up_to_date(architecture, options)
        if version is None:
            version = _export(architecture, options)
        else:
            print(f"{architecture.name}: version {version.number} is up to date")
    except ExportError as error:
        print(f"{architecture.name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{architecture.name}: interrupted, nothing was published", file=sys.stderr)
        return 130
    _say_if_untrained(version)
    return 0


def _newest_if_up_to_date(architecture: Architecture, options: argparse.Namespace) -> Version | None:
    newest = ModelFolder(options.models_dir, architecture.name).newest()
    if options.force or newest is None or newest.record is None or not newest.complete:
        return None
    fresh = up_to_date(
        architecture,
        newest.record,
        weights.find(architecture),
        allow_untrained=options.allow_untrained,
        retry_download=options.retry_download,
        precision=options.precision,
    )
    return newest if fresh else None


def _export(architecture: Architecture, options: argparse.Namespace) -> Version:
    from imagenet_export.progress import Progress  # draws with rich, which is slow to import

    progress = Progress(architecture.name)
    folder = ModelFolder(options.models_dir, architecture.name)
    with folder.lock(waiting=lambda: progress.say("another export is at work: waiting for it")):
        if version := _newest_if_up_to_date(architecture, options):
            progress.say(f"version {version.number} is up to date, thanks to the other export")
            return version
        version = _export_with_tensorflow(architecture, folder, options, progress)
        progress.say(f"version {version.number} is in {version.path}")
        for removed in folder.prune(options.keep or _KEPT, anyones=options.keep is not None):
            progress.say(f"removed version {removed.number}")
        return version


def _export_with_tensorflow(
    architecture: Architecture, folder: ModelFolder, options: argparse.Namespace, progress: "Progress"
) -> Version:
    _prepare_environment()
    try:
        with progress.step("starting TensorFlow"):
            from imagenet_export.export import Wishes, export
    except ModuleNotFoundError as error:
        raise DependencyMissing(error.name) from error
    wishes = Wishes(allow_untrained=options.allow_untrained, force=options.force, precision=options.precision)
    return export(architecture, folder, weights.find(architecture), wishes, progress)


def _prepare_environment() -> None:
    """Settings TensorFlow and Keras read once, while they are imported. What the user set stays."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
    # oneDNN greets on every import and adds in another order on every machine; an export needs neither.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _say_if_untrained(version: Version) -> None:
    record = version.record
    if record is not None and not record.trained:
        print(f"!!! {record.model}: UNTRAINED WEIGHTS, its labels mean nothing (--retry-download asks Keras again) !!!")


def _parser(architecture: Architecture) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m imagenet_{architecture.name}.export",
        description=f"Export {architecture.constructor} with ImageNet weights for TensorFlow Serving.",
        epilog=f"Weights: {architecture.weights_file} in ${weights.WEIGHTS_DIR}, else Keras's cache or download.",
    )
    add = parser.add_argument
    add("--models-dir", type=Path, required=True, metavar="DIR", help="where TensorFlow Serving looks for models")
    add("--allow-untrained", action="store_true", help="without ImageNet weights, export weights that mean nothing")
    add("--retry-download", action="store_true", help="try again to replace untrained weights")
    precision_help = "what TensorFlow computes in; bfloat16 is faster where the processor has it, and less exact"
    add("--precision", choices=get_args(Precision), default="float32", help=precision_help)
    add("--force", action="store_true", help="export even if nothing changed")
    keep_help = f"keep the N newest versions, whoever made them (default: the {_KEPT} newest made by this exporter)"
    add("--keep", type=_at_least_two, metavar="N", help=keep_help)
    return parser


def _at_least_two(text: str) -> int:
    number = int(text)
    if number < _KEPT:
        raise argparse.ArgumentTypeError(f"a server may still serve the version before the newest: at least {_KEPT}")
    return number
