"""The images that the benchmarks post: photographs, scaled to the measured sizes."""

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
"""12 megapixels, as in a photograph from a phone."""
NOISE: Final = 5.0
"""Standard deviation of the noise added to an enlarged photograph, of 255. Without noise its JPEG is much too small."""
PHOTOGRAPHS: Final = ROOT.parent / "shared" / "images"
CAT: Final = ROOT / "data" / "cat.jpg"


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image, as a JPEG file and as a JSON body with the JPEG in base64."""

    name: str
    jpeg: Path
    json: Path

    def body(self, as_json: bool) -> tuple[Path, str]:
        return (self.json, "application/json") if as_json else (self.jpeg, "image/jpeg")

    @property
    def size(self) -> int:
        return self.jpeg.stat().st_size


def small(directory: Path) -> Photograph:
    """Make a JPEG of exactly 64 KB: the largest photograph that fits, padded with a comment."""
    picture = Image.open(_source()).convert("RGB")
    encoded = b""
    for width in range(1200, 200, -20):
        size = (width, picture.height * width // picture.width)
        encoded = _jpeg(_add_noise(picture.resize(size, Image.Resampling.LANCZOS), 2.0), 85)
        if len(encoded) <= SMALL_BYTES - 4:
            break
    comment = SMALL_BYTES - len(encoded) - 4
    if not 0 <= comment <= 65_533:
        raise ValueError(f"cannot make a JPEG of {SMALL_BYTES} bytes from this photograph")
    padding = b"\xff\xfe" + (comment + 2).to_bytes(2, "big") + b" " * comment  # COM (ITU-T T.81, B.2.4.5)
    return _write(directory, "small", encoded[:2] + padding + encoded[2:])


def large(directory: Path) -> Photograph:
    picture = Image.open(_source()).convert("RGB").resize(LARGE_PIXELS, Image.Resampling.BICUBIC)
    return _write(directory, "large", _jpeg(_add_noise(picture.filter(ImageFilter.SHARPEN), NOISE), 90))


def tiny(directory: Path) -> Photograph:
    """Make a JPEG of a few hundred bytes, so that a hundred thousand of them fit into Redis."""
    return _write(directory, "tiny", _jpeg(Image.open(CAT).convert("RGB").resize((16, 16)), 50))


def _source() -> Path:
    cat_720p = PHOTOGRAPHS / "cat_720p.jpg"
    return cat_720p if cat_720p.exists() else CAT


def _add_noise(picture: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(12).normal(0, deviation, (picture.height, picture.width, 1))
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) + noise, 0, 255).astype(np.uint8))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _write(directory: Path, name: str, jpeg: bytes) -> Photograph:
    photograph = Photograph(name, directory / f"{name}.jpg", directory / f"{name}.json")
    photograph.jpeg.write_bytes(jpeg)
    photograph.json.write_text(json.dumps({"image_data": base64.b64encode(jpeg).decode()}), "ascii")
    return photograph
