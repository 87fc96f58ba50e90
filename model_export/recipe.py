"""How a version is made from its source. Everything but the weights is here, so its hash tells two versions apart."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from model_export.applications import APPLICATIONS, Application, Scale

Kind = Literal["application", "keras", "saved_model", "onnx"]
Input = Literal["image", "text", "bytes"]
Resize = Literal["stretch", "crop"]
Layout = Literal["nhwc", "nchw"]
ScoresKind = Literal["softmax", "logits"]


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    """The name of the servable and of its folder."""

    source: str
    """The name of a network of `keras.applications`, or the file name of one's own model."""

    kind: Kind = "application"

    input: Input = "image"

    size: int | None = None
    """Height and width in pixels of the network's input. None: as the source says."""

    resize: Resize = "stretch"

    scale: Scale = "none"

    layout: Layout = "nhwc"
    """The order of the dimensions of the source's input."""

    scores: ScoresKind = "softmax"
    """What the source returns. The exported version always returns softmax scores."""

    background: bool = False
    """Whether to prepend the class `background` with score 0, as the 1001 ImageNet labels expect."""

    classes: int | None = None
    """The number of classes of a network of `keras.applications` with one's own weights. None: 1000."""

    labels: tuple[str, ...] | None = None

    signature: str | None = None
    """The signature of a SavedModel to call. None: `serving_default`, or the only one."""

    output: str | None = None
    """The output of the source to use. None: the only one."""

    @property
    def application(self) -> Application:
        return APPLICATIONS[self.source]

    @property
    def pixels_size(self) -> int:
        assert self.size is not None, "the size of an image model is known once its source is loaded"  # noqa: S101 (a bug, not an input)
        return self.size

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def resized_side(size: int) -> int:
    """The shorter side before a crop: 256 for 224."""
    return round(size * 256 / 224)


@dataclass(frozen=True, slots=True)
class Location:
    """The files to read. Their contents matter to the version, their paths do not."""

    source: Path | None = None
    """One's own model; None for a network of `keras.applications`."""

    weights: Path | None = None
    """Weights of a network of `keras.applications`, if `--weights` names them."""

    examples: Path | None = None
    """Inputs to verify the version with, besides those of model_export/examples.py."""
