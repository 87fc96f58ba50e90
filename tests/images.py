"""Generated images for tests."""

import io
import struct
import zlib
from typing import Final

from PIL import Image

JPEG_HEADERS: Final = {"content-type": "image/jpeg"}


def encode_image(
    mode: str = "RGB", size: tuple[int, int] = (64, 48), file_format: str = "JPEG", **options: object
) -> bytes:
    """A gradient, in any mode and format that Pillow writes."""
    gradient = Image.linear_gradient("L").resize(size)
    picture = gradient.convert(mode) if mode != "P" else gradient.convert("RGB").quantize(16)
    out = io.BytesIO()
    picture.save(out, file_format, **options)
    return out.getvalue()


def webp_bomb() -> bytes:
    """A WebP whose header declares the largest possible canvas, 16,384 pixels a side."""
    image = bytearray(encode_image(mode="RGBA", file_format="WEBP", lossless=True))
    assert image[12:16] == b"VP8L"
    image[21:25] = (0x0FFFFFFF).to_bytes(4, "little")
    return bytes(image)


def animated_webp(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    pictures = [Image.new("RGB", size, colour) for colour in ("red", "blue")]
    pictures[0].save(out, "WEBP", save_all=True, append_images=pictures[1:])
    return out.getvalue()


def png_with(name: bytes, data: bytes) -> bytes:
    """A 16-bit grey PNG with an additional chunk."""
    image = encode_image("I;16", file_format="PNG")
    end = image.rindex(b"IEND") - 4
    return image[:end] + _chunk(name, data) + image[end:]


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header declares any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
