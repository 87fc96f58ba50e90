"""Reads the command line: which source, and how to make a version of it. Imports neither TensorFlow nor Keras."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from model_export import labels, weights
from model_export.applications import APPLICATIONS, CLASSES, Scale, similar_names
from model_export.errors import OptionsInvalid
from model_export.recipe import Input, Kind, Layout, Location, Recipe, Resize, ScoresKind
from model_export.record import Precision

MIN_VERSIONS: Final = 2
"""The newest version, and the one that a server still serves while it loads the newest."""

SUFFIXES: Final[dict[str, Kind]] = {".keras": "keras", ".h5": "keras", ".onnx": "onnx"}

MAX_SIZE: Final = 4096

EPILOG: Final = f"""\
SOURCE is one of:
  a name of keras.applications, such as EfficientNetB0. Its weights are FILE of --weights, else the file of
      that name in ${weights.WEIGHTS_DIR} (mobilenet_v2.weights.h5), else Keras's cache or download
  a .keras file
  a directory with a SavedModel of your own, which takes scaled images as floats
  an .onnx file, for `python -m local_tf_serving`; TensorFlow Serving can't serve it

docs/your-own-models.md shows one of each."""


@dataclass(frozen=True, slots=True)
class Arguments:
    recipe: Recipe
    location: Location
    models_dir: Path
    allow_untrained: bool
    retry_download: bool
    precision: Precision
    force: bool
    keep: int | None


def parse(arguments: Sequence[str]) -> Arguments:
    """Exits with status 2 for an unknown option. Raises OptionsInvalid, SourceUnreadable."""
    args = _parser().parse_args(arguments)
    kind, path = _source(args.source)
    _check(kind, args)
    recipe = _recipe(kind, path, args)
    location = Location(path, args.weights, args.examples)
    for option, file in (("--weights", args.weights), ("--examples", args.examples)):
        if file is not None and not file.exists():
            raise OptionsInvalid(f"{option}: there is no {file}")
    return Arguments(
        recipe,
        location,
        args.models_dir,
        args.allow_untrained,
        args.retry_download,
        args.precision,
        args.force,
        args.keep,
    )


def _source(source: str) -> tuple[Kind, Path | None]:
    """Raises OptionsInvalid, with the names that may have been meant."""
    if source in APPLICATIONS:
        return "application", None
    path = Path(source).expanduser()
    if path.is_dir():
        if any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
            return "saved_model", path
        raise OptionsInvalid(f"{path} is no SavedModel: it has no saved_model.pb; pass the directory that has it")
    if path.is_file():
        if path.suffix in SUFFIXES:
            return SUFFIXES[path.suffix], path
        raise OptionsInvalid(
            f"{path} is neither a .keras file, a SavedModel's directory nor an .onnx file; export a PyTorch model with "
            "torch.onnx.export"
        )
    if os.sep in source or path.suffix in SUFFIXES:
        raise OptionsInvalid(f"there is no {path}")
    similar = similar_names(source)
    meant = f"; did you mean {', '.join(similar)}?" if similar else f"; it has {', '.join(sorted(APPLICATIONS))}"
    raise OptionsInvalid(f"there is no file {source}, and keras.applications has no network of that name{meant}")


def _recipe(kind: Kind, path: Path | None, args: argparse.Namespace) -> Recipe:
    application = APPLICATIONS[args.source] if kind == "application" else None
    names = labels.read(args.labels) if args.labels else None
    own_classes = len(names) - args.background if names is not None and args.weights else CLASSES
    has_background = names is not None and len(names) == CLASSES + 1 and names[0] == labels.BACKGROUND
    default_layout: Layout = "nchw" if kind == "onnx" else "nhwc"
    return Recipe(
        name=args.name,
        source=args.source if path is None else path.name,
        kind=kind,
        input=args.input,
        size=args.size or (application.size if application else None),
        resize=args.resize,
        scale=args.scale or (application.scale if application else "none"),
        layout=args.layout or default_layout,
        scores=args.scores or "softmax",
        background=args.background or (application is not None and has_background),
        classes=own_classes if own_classes not in (CLASSES, CLASSES + 1) else None,
        labels=names,
        signature=args.signature,
        output=args.output,
    )


def _check(kind: Kind, args: argparse.Namespace) -> None:
    """Raises OptionsInvalid for options that are missing or contradict each other."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", args.name):
        raise OptionsInvalid(f"--name {args.name!r}: use letters, digits, '_', '-' and '.'")
    is_own = kind != "application"
    is_image = args.input == "image"
    for is_wrong, message in (
        (is_own and args.weights, f"--weights is for names of keras.applications; {args.source} has its own"),
        (is_own and args.allow_untrained, "--allow-untrained is for names of keras.applications"),
        (not is_own and not is_image, f"{args.source} takes images, so --input {args.input} does not fit"),
        (kind == "onnx" and not is_image, "an .onnx file must take images; --input text and bytes need a SavedModel"),
        (not is_image and args.size, f"--size is for images, not for --input {args.input}"),
        (not is_image and args.scale not in (None, "none"), f"--scale is for images, not for --input {args.input}"),
        (not is_image and args.layout, f"--layout is for images, not for --input {args.input}"),
        (not is_image and args.resize != "stretch", f"--resize is for images, not for --input {args.input}"),
        (args.signature and kind != "saved_model", "--signature is for SavedModels"),
        (args.output and kind not in ("saved_model", "onnx"), "--output is for SavedModels and .onnx files"),
        (args.precision != "float32" and kind in ("saved_model", "onnx"), "--precision is for Keras models"),
        (
            is_own and is_image and args.scale is None,
            f"say with --scale which values {args.source} expects: {', '.join(get_args(Scale))} (none: 0…255, it "
            "scales inside)",
        ),
        (
            is_own and args.scores is None,
            f"say with --scores what {args.source} returns: softmax (probabilities) or logits",
        ),
    ):
        if is_wrong:
            raise OptionsInvalid(message)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_export",
        description="Make a model servable: encoded images (or texts) in, one score for each label out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SOURCE", help="see below")
    parser.add_argument("--name", required=True, help="the name under which the model is served, as in FAST_MODEL")
    _add_model_options(parser)
    _add_export_options(parser)
    return parser


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group(
        "what the source takes and returns (networks of keras.applications need none)"
    ).add_argument
    add("--input", choices=get_args(Input), default="image", help="text and bytes reach the source as they are")
    add("--size", type=_parse_size, metavar="PIXELS", help="height and width (default: as the source says)")
    crop_help = "crop: the shorter side to size × 256/224, then the centre, as torchvision does (default: stretch)"
    add("--resize", choices=get_args(Resize), default="stretch", help=crop_help)
    scale_help = "tf: -1…1; torch: ImageNet's mean and deviation; caffe: BGR minus mean; none: 0…255"
    add("--scale", choices=get_args(Scale), help=scale_help)
    add("--layout", choices=get_args(Layout), help="(default: nchw for .onnx, otherwise nhwc)")
    add("--scores", choices=get_args(ScoresKind), help="softmax: probabilities; logits: softmax is added")
    add("--labels", type=Path, metavar="FILE", help="a JSON array or one label per line; their number is checked")
    add("--background", action="store_true", help="prepend the class `background` with score 0")
    add("--signature", help="the signature of a SavedModel (default: serving_default, or the only one)")
    add("--output", help="the output with the scores (default: the only one)")


def _add_export_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the export").add_argument
    default = os.environ.get("MODELS_DIR") or Path(__file__).parent.parent / "var" / "models"
    add("--models-dir", type=Path, default=Path(default), metavar="DIR", help="(default: $MODELS_DIR, or var/models)")
    add("--examples", type=Path, metavar="PATH", help="further inputs to verify with: a file, a directory, or texts")
    add("--weights", type=Path, metavar="FILE", help="weights of a network of keras.applications")
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


def _parse_size(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_SIZE:
        raise argparse.ArgumentTypeError(f"must be between 1 and {MAX_SIZE}")
    return number


def _parse_keep(text: str) -> int:
    number = int(text)
    if number < MIN_VERSIONS:
        raise argparse.ArgumentTypeError(
            f"must be at least {MIN_VERSIONS}, because a server may still serve the version before the newest"
        )
    return number
