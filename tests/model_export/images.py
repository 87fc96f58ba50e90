"""Images in every encoding."""

import io
from typing import Any, Final

import numpy as np
from PIL import Image

from harness.process import ROOT

CAT: Final = ROOT / "data" / "cat.jpg"

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def cat() -> Image.Image:
    with Image.open(CAT) as image:
        return image.convert("RGB")


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def four_different() -> list[bytes]:
    """A photograph, its negative, its top left corner, and noise, in different sizes and encodings."""
    photograph = cat()
    noise = np.random.default_rng(3).integers(0, 256, (120, 500, 3), dtype=np.uint8)
    return [
        CAT.read_bytes(),
        encoded(Image.eval(photograph, lambda value: 255 - value), "PNG"),
        encoded(photograph.crop((0, 0, 90, 200)), "JPEG", quality=80, progressive=True),
        encoded(Image.fromarray(noise), "PNG"),
    ]


def rgb(image_bytes: bytes) -> Pixels:
    """Decode with Pillow: uint8 [height, width, 3]."""
    with Image.open(io.BytesIO(image_bytes)) as image:
        return np.asarray(image.convert("RGB"))


def resized(image: Image.Image, size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Resize with Pillow, bilinear: float32 [size, size, 3]. Pillow does not round bands of mode F."""
    bands = (band.convert("F").resize((size, size), Image.Resampling.BILINEAR) for band in image.split())
    return np.stack([np.asarray(band, dtype=np.float32) for band in bands], axis=-1)


def half_transparent(image: Image.Image) -> Image.Image:
    """Opaque at the bottom, transparent at the top."""
    transparent = image.convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(image.size))
    return transparent


def grey_of_16_bits(image: Image.Image) -> Image.Image:
    """The upper 8 bits are the grey of `image`, the lower 8 its negative."""
    grey = np.asarray(image.convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 256 + (255 - grey))


def readable() -> dict[str, bytes]:
    """Every mode of JPEG and PNG that Pillow can write."""
    photograph = cat()
    palette = photograph.quantize(64)
    return {
        "baseline JPEG": encoded(photograph, "JPEG"),
        "progressive JPEG": encoded(photograph, "JPEG", progressive=True),
        "JPEG without chroma subsampling": encoded(photograph, "JPEG", subsampling=0),
        "grey JPEG": encoded(photograph.convert("L"), "JPEG"),
        "CMYK JPEG": encoded(photograph.convert("CMYK"), "JPEG"),
        "JPEG with EXIF": encoded(photograph, "JPEG", exif=_rotated_by_90_degrees()),
        "RGB PNG": encoded(photograph, "PNG"),
        "grey PNG": encoded(photograph.convert("L"), "PNG"),
        "black and white PNG": encoded(photograph.convert("1"), "PNG"),
        "palette PNG": encoded(palette, "PNG"),
        "palette PNG with a transparent colour": encoded(palette, "PNG", transparency=3),
        "RGBA PNG": encoded(half_transparent(photograph), "PNG"),
        "grey PNG with alpha": encoded(half_transparent(photograph).convert("LA"), "PNG"),
        "tiny PNG": encoded(photograph.resize((1, 1)), "PNG"),
    }


def _rotated_by_90_degrees() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: rotate 90° clockwise to view
    return exif


def unreadable() -> dict[str, bytes]:
    """Images that must be rejected."""
    photograph = cat()
    jpeg, png = CAT.read_bytes(), encoded(photograph, "PNG")
    return {
        "empty": b"",
        "one byte": b"\xff",
        "text": b"<html>not found</html>",
        "JPEG cut in half": jpeg[: len(jpeg) // 2],
        "JPEG without its last hundred bytes": jpeg[:-100],
        "JPEG of the first bytes only": jpeg[:3],
        "JPEG whose size was changed": _with_a_height_of_zero(jpeg),
        "PNG cut in half": png[: len(png) // 2],
        "PNG of the signature only": png[:8],
        "GIF": encoded(photograph, "GIF"),
        "animated GIF": encoded(photograph, "GIF", save_all=True, append_images=[photograph.rotate(90)]),
        "BMP": encoded(photograph, "BMP"),
        "WebP": encoded(photograph, "WEBP"),
        "TIFF": encoded(photograph, "TIFF"),
    }


def _with_a_height_of_zero(jpeg: bytes) -> bytes:
    start_of_frame = jpeg.index(b"\xff\xc0")  # then length (2 bytes), precision (1), height (2)
    return jpeg[: start_of_frame + 5] + b"\0\0" + jpeg[start_of_frame + 7 :]
