"""Small files that are costly to decode, in each format that the service accepts."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from PIL import Image

from tests.images import encode_image, gif_of_blocks

SCANS_BYTES: Final = 300_000
IHDR_BYTES: Final = 25
PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6
CHANNELS: Final = {GREY: 1, RGB: 3, PALETTE: 1, RGBA: 4}


def jpeg(size: tuple[int, int], **options: object) -> bytes:
    """A plain area, which is the smallest JPEG of its size."""
    return encoded(Image.new("RGB", size, "grey"), "JPEG", **options)


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, file_format, **options)
    return out.getvalue()


def repeated_scans(size: tuple[int, int]) -> bytes:
    """A progressive JPEG, and `SCANS_BYTES` more of its last scan, again and again."""
    image = jpeg(size, progressive=True, quality=75)
    last = image.rindex(b"\xff\xda")
    scan = image[last:-2]
    return image[:-2] + scan * (SCANS_BYTES // len(scan)) + b"\xff\xd9"


def many_markers(padding: bytes) -> bytes:
    """20 MB between the start of a JPEG and its contents."""
    image = encode_image()
    return image[:2] + padding * (19_000_000 // len(padding)) + image[2:]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(size: tuple[int, int], colour: int = RGB, *, depth: int = 8, is_interlaced: bool = False) -> bytes:
    """All pixels are zero; interlacing stores up to an eighth more."""
    width, height = size
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(is_interlaced))
    palette = chunk(b"PLTE", bytes(768)) if colour == PALETTE else b""
    compressor = zlib.compressobj(9)
    row = bytes(1 + width * CHANNELS[colour] * depth // 8)
    rows = 2 * height if is_interlaced else height  # rows of the seven passes; decoders ignore what is too much
    data = b"".join(compressor.compress(row) for _ in range(rows)) + compressor.flush()
    return PNG_SIGNATURE + chunk(b"IHDR", header) + palette + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_with(chunks: bytes) -> bytes:
    """A small PNG with more chunks after its header."""
    image = encode_image(file_format="PNG")
    start = len(PNG_SIGNATURE) + IHDR_BYTES
    return image[:start] + chunks + image[start:]


def large_png(size: int) -> bytes:
    """A small valid PNG of at least `size` bytes, which the proxy passes on unchanged."""
    return png_with(chunk(b"teSt", random.Random(1).randbytes(size)))


def webp(size: tuple[int, int], **options: object) -> bytes:
    return encoded(Image.new("RGB", size), "WEBP", method=0, **options)


def gif(size: tuple[int, int], **options: object) -> bytes:
    return encoded(Image.new("P", size), "GIF", **options)


@dataclass(frozen=True, slots=True)
class Bomb:
    media_type: bytes
    build: Callable[[], bytes]


def _jpeg(build: Callable[[], bytes]) -> Bomb:
    return Bomb(b"image/jpeg", build)


def _png(build: Callable[[], bytes]) -> Bomb:
    return Bomb(b"image/png", build)


def _webp(build: Callable[[], bytes]) -> Bomb:
    return Bomb(b"image/webp", build)


def _gif(build: Callable[[], bytes]) -> Bomb:
    return Bomb(b"image/gif", build)


def _bmp(build: Callable[[], bytes]) -> Bomb:
    return Bomb(b"image/bmp", build)


def compressed(name: bytes) -> bytes:
    """A chunk that grows a thousandfold when it is decompressed."""
    return chunk(name, b"a\0\0" + zlib.compress(bytes(200_000_000), 9))


BOMBS: Final[Mapping[str, Bomb]] = {
    "JPEG, 50 megapixels": _jpeg(lambda: jpeg((7071, 7071), quality=50)),
    "JPEG, progressive, 50 megapixels": _jpeg(lambda: jpeg((7071, 7071), quality=50, progressive=True)),
    "JPEG, repeated scans, 4 megapixels": _jpeg(lambda: repeated_scans((2000, 2000))),
    "JPEG, repeated scans, 50 megapixels": _jpeg(lambda: repeated_scans((7071, 7071))),
    "JPEG, repeated scans, below the normalizer's size": _jpeg(lambda: repeated_scans((890, 890))),
    "JPEG, tall": _jpeg(lambda: jpeg((760, 65_500), quality=50)),
    "JPEG, 19 MB of fill bytes": _jpeg(lambda: many_markers(b"\xff")),
    "JPEG, 19 MB of empty segments": _jpeg(lambda: many_markers(b"\xff\xfe\0\2")),
    "PNG, 50 megapixels": _png(lambda: png((7071, 7071))),
    "PNG, RGBA, 50 megapixels": _png(lambda: png((7071, 7071), RGBA)),
    "PNG, tall": _png(lambda: png((895, 55_854))),
    "PNG, wide": _png(lambda: png((55_854, 895))),
    "PNG, 16 bits, 50 megapixels": _png(lambda: png((7071, 7071), depth=16)),
    "PNG, 16 bits, grey, tall": _png(lambda: png((895, 55_854), GREY, depth=16)),
    "PNG, palette, tall": _png(lambda: png((895, 55_854), PALETTE)),
    "PNG, interlaced, 50 megapixels": _png(lambda: png((7071, 7071), is_interlaced=True)),
    "PNG, compressed text of 200 MB": _png(lambda: png_with(compressed(b"zTXt"))),
    "PNG, colour profile of 200 MB": _png(lambda: png_with(compressed(b"iCCP"))),
    "PNG, 19 MB of empty chunks": _png(lambda: png_with(chunk(b"teSt", b"") * (19_000_000 // 12))),
    "GIF, transparent, 50 megapixels": _gif(lambda: gif((7071, 7071), transparency=0)),
    "GIF, 19 MB of blocks of a byte": _gif(lambda: gif_of_blocks(9_500_000)),
    "BMP of one bit, 50 megapixels": _bmp(lambda: encoded(Image.new("1", (7071, 7071)), "BMP")),
    "WebP, 16 megapixels": _webp(lambda: webp((4000, 4000), quality=10)),
    "WebP, lossless, 16 megapixels": _webp(lambda: webp((4000, 4000), lossless=True)),
    "WebP, tall": _webp(lambda: webp((976, 16_383), quality=10)),
}
