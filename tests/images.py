"""Generated images for tests."""

import io
import struct
import zlib
from typing import Final

from PIL import Image

JPEG_HEADERS: Final = {"content-type": "image/jpeg"}
ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The passes of an interlaced PNG: first column, first row, and the steps (RFC 2083, 2.6)."""


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


def jpeg_segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data


def jpeg_of_scans(
    scans: int,
    size: tuple[int, int] = (64, 48),
    *,
    components: int = 1,
    extra: bytes = b"",
    start_of_frame: int = 0xC2,
) -> bytes:
    """A flat progressive JPEG of a few bytes for each scan. All but the first refine the AC coefficients of all blocks.

    No coefficient changes, but a decoder visits all of them in each scan. `extra` follows the first scan.
    """
    width, height = size
    numbers = range(1, components + 1)
    frame = struct.pack(">BHHB", 8, height, width, components) + b"".join(bytes([c, 0x11, 0]) for c in numbers)
    tables = jpeg_segment(0xDB, bytes([0]) + b"\x01" * 64)
    for table, symbol in ((0x00, 0x00), (0x10, 0xE0)):  # one code of one bit: no difference, and a run of empty blocks
        tables += jpeg_segment(0xC4, bytes([table, 1]) + bytes(15) + bytes([symbol]))
    selected = b"".join(bytes([c, 0]) for c in numbers)
    first = jpeg_segment(0xDA, bytes([components]) + selected + b"\x00\x00\x01") + b"\x00"
    blocks = -(-width // 8) * -(-height // 8)
    bits = ("0" + "1" * 14) * -(-blocks // (2**15 - 1))  # each is a run of 2^15 - 1 blocks
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    refinements = [jpeg_segment(0xDA, bytes([1, c, 0, 1, 63, 0x10])) + coded for c in numbers]
    rest = b"".join(refinements[number % components] for number in range(scans - 1))
    return b"\xff\xd8" + jpeg_segment(start_of_frame, frame) + tables + first + extra + rest + b"\xff\xd9"


def png_of_chunks(count: int) -> bytes:
    """A small PNG with this many empty chunks after its pixels."""
    image = encode_image(file_format="PNG")
    end = image.rindex(b"IEND") - 4
    return image[:end] + _chunk(b"teSt", b"") * count + image[end:]


def flat_png(width: int, height: int, *, colour: int = 2, depth: int = 8, is_interlaced: bool = False) -> bytes:
    """A black PNG of this colour type (RFC 2083, 3.2.1). An RGB image of 50 megapixels takes 150 KB."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, is_interlaced)
    compressor = zlib.compressobj()
    rows = b""
    for left, top, across, down in ADAM7 if is_interlaced else [(0, 0, 1, 1)]:
        columns = len(range(left, width, across))
        row = b"\x04" + bytes(-(-columns * samples * depth // 8))  # 4: Paeth, the most expensive filter
        rows += b"".join(compressor.compress(row) for _ in range(top, height, down) if columns)
    body = rows + compressor.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def gif_bomb(width: int, height: int) -> bytes:
    """A GIF of a few bytes whose header declares any size. Its picture fills it."""
    image = bytearray(encode_image("L", size=(8, 8), file_format="GIF"))
    picture = image.index(b",\0\0\0\0\x08\0\x08\0")
    for offset in (6, picture + 5):
        struct.pack_into("<HH", image, offset, width, height)
    return bytes(image)


def gif_of_blocks(count: int) -> bytes:
    """A small GIF with a comment of this many blocks of a byte each."""
    image = encode_image("L", file_format="GIF")
    picture = image.index(b",\0\0\0\0")
    return image[:picture] + b"!\xfe" + b"\1x" * count + b"\0" + image[picture:]


def form_of(*images: bytes) -> bytes:
    """A form with the boundary `b` and several files in the field `image`."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    return b"".join(head + image + b"\r\n" for image in images) + b"--b--\r\n"
