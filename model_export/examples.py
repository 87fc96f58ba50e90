"""Inputs to compare a version with its source: photographs, texts, or one's own (`--examples`)."""

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from model_export.errors import SourceUnreadable
from model_export.recipe import Recipe

PHOTOGRAPH: Final = Path(__file__).parent.parent / "data" / "cat.jpg"

TEXTS: Final = (
    "The parcel arrived two days early and everything was in it.",
    "Never again. It broke on the first day and nobody answers.",
    "ok",
    "Die Lieferung kam pünktlich, der Inhalt war beschädigt.",
    "値段の割に、とても良い。",
)

MAX_EXAMPLES: Final = 32
MAX_WARMUP: Final = 8


def read(recipe: Recipe, own: Path | None) -> list[bytes]:
    """Raises SourceUnreadable if `own` has none."""
    found = _read_own(recipe, own) if own else []
    if own and not found:
        raise SourceUnreadable(f"--examples: there are no examples in {own}")
    if recipe.input == "text":
        return found + [text.encode() for text in TEXTS]
    return found if recipe.input == "bytes" and found else found + photographs()


def photographs() -> list[bytes]:
    """The project's photograph, and details of it in other shapes and formats; a drawing if it is not there."""
    if not PHOTOGRAPH.is_file():
        return [_encoded(_gradients(), "JPEG")]
    with Image.open(PHOTOGRAPH) as image:
        cat = image.convert("RGB")
    width, height = cat.size
    return [
        PHOTOGRAPH.read_bytes(),
        _encoded(cat.crop((width // 4, 0, width * 3 // 4, height)), "JPEG"),
        _encoded(cat.crop((0, height // 4, width, height * 3 // 4)), "PNG"),
        _encoded(cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((width * 2, height * 2)), "JPEG"),
        _encoded(_gradients(), "JPEG"),
    ]


def _read_own(recipe: Recipe, path: Path) -> list[bytes]:
    try:
        if recipe.input == "text" and path.is_file():
            return [line.encode() for line in path.read_text("utf-8").splitlines() if line.strip()][:MAX_EXAMPLES]
        files = sorted(child for child in path.iterdir() if child.is_file()) if path.is_dir() else [path]
        return [file.read_bytes() for file in files[:MAX_EXAMPLES]]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnreadable(f"--examples: can't read {path} ({error})") from error


def _gradients() -> Image.Image:
    """320 × 240 with colour gradients."""
    y, x = np.mgrid[0:240, 0:320]
    return Image.fromarray(np.stack([x * 255 // 319, y * 255 // 239, (x + y) * 255 // 558], axis=-1).astype(np.uint8))


def _encoded(image: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, quality=90)
    return buffer.getvalue()
