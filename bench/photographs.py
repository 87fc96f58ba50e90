"""The images that are posted: real photographs, brought to the sizes that are measured."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from service_settings import ROOT

SMALL_BYTES: Final = 64 * 1024
LARGE_PIXELS: Final = (4032, 3024)
"""12 megapixels, as a telephone takes them."""
GRAIN: Final = 5.0
"""Standard deviation of the noise on an enlarged photograph, of 255: without it a JPEG of it is much too small."""
PHOTOGRAPHS: Final = ROOT.parent / "shared" / "images"
CAT: Final = ROOT / "data" / "cat.jpg"


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image, as a file and as the JSON body that has it in base64."""

    name: str
    jpeg: Path
    json: Path

    def body(self, as_json: bool) -> tuple[Path, str]:
        return (self.json, "application/json") if as_json else (self.jpeg, "image/jpeg")

    @property
    def size(self) -> int:
        return self.jpeg.stat().st_size


def small(directory: Path) -> Photograph:
    """64 KB to the byte: a photograph of as many pixels as fit, and a comment for the rest."""
    picture = Image.open(_source()).convert("RGB")
    encoded = b""
    for width in range(1200, 200, -20):
        size = (width, picture.height * width // picture.width)
        encoded = _jpeg(_grainy(picture.resize(size, Image.Resampling.LANCZOS), 2.0), 85)
        if len(encoded) <= SMALL_BYTES - 4:
            break
    comment = SMALL_BYTES - len(encoded) - 4
    if not 0 <= comment <= 65_533:
        raise ValueError(f"no JPEG of {SMALL_BYTES} bytes can be made of this photograph")
    filler = b"\xff\xfe" + (comment + 2).to_bytes(2, "big") + b" " * comment  # COM (ITU-T T.81, B.2.4.5)
    return _written(directory, "small", encoded[:2] + filler + encoded[2:])


def large(directory: Path) -> Photograph:
    picture = Image.open(_source()).convert("RGB").resize(LARGE_PIXELS, Image.Resampling.BICUBIC)
    return _written(directory, "large", _jpeg(_grainy(picture.filter(ImageFilter.SHARPEN), GRAIN), 90))


def tiny(directory: Path) -> Photograph:
    """A few hundred bytes, to have a hundred thousand of them waiting."""
    return _written(directory, "tiny", _jpeg(Image.open(CAT).convert("RGB").resize((16, 16)), 50))


def _source() -> Path:
    named = PHOTOGRAPHS / "cat_720p.jpg"
    return named if named.exists() else CAT


def _grainy(picture: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(12).normal(0, deviation, (picture.height, picture.width, 1))
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) + noise, 0, 255).astype(np.uint8))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _written(directory: Path, name: str, jpeg: bytes) -> Photograph:
    made = Photograph(name, directory / f"{name}.jpg", directory / f"{name}.json")
    made.jpeg.write_bytes(jpeg)
    made.json.write_text(json.dumps({"image_data": base64.b64encode(jpeg).decode()}), "ascii")
    return made
