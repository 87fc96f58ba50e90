"""Names the type of a file that is not one of the images that the service reads."""

import re
from collections.abc import Sequence
from typing import Final

BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "a HEIC image"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF image"),
    **dict.fromkeys((b"crx ",), "a raw photograph (CR3)"),
}
"""Of ISO base media files (ISO/IEC 14496-12, 4.3). All others are videos."""
SIGNATURES: Final[Sequence[tuple[bytes, str]]] = (
    (b"%PDF-", "a PDF"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\3\4", "a ZIP archive or an Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\7", "a RAR archive"),
    (b"\x1a\x45\xdf\xa3", "a video (WebM or Matroska)"),
)
MARKUP: Final = (
    (re.compile(rb"<svg[\s>]", re.IGNORECASE), "an SVG, which is a drawing and not pixels"),
    (re.compile(rb"<(!doctype html|html|head|body)[\s>]", re.IGNORECASE), "an HTML page"),
)
MARKUP_BYTES: Final = 1024
TEXT: Final = re.compile(rb"[\t\r\n\x20-\x7e]{8,}")


def file_type(data: bytes) -> str | None:
    """Return the type as a noun with its article; None if it is unknown."""
    if data[4:8] == b"ftyp":
        return _media_type(data)
    for signature, name in SIGNATURES:
        if data.startswith(signature):
            return name
    start = data[:MARKUP_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return next((name for pattern, name in MARKUP if pattern.search(start)), "an XML document")
    return "text" if TEXT.fullmatch(start) else None


def _media_type(data: bytes) -> str:
    """`mif1` and `msf1` are general: an AVIF has its own brand among the compatible ones."""
    size = min(int.from_bytes(data[:4]), 128)
    compatible = {data[offset : offset + 4] for offset in (8, *range(16, size, 4))}
    if compatible & {b"avif", b"avis"}:
        return "an AVIF image"
    return BRANDS.get(data[8:12], "a video or audio file")
