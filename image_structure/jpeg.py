"""The segments of a JPEG (ITU-T T.81)."""

import re
import struct
from dataclasses import dataclass
from itertools import islice
from typing import Final

from image_structure import BrokenImage, UnsupportedEncoding

SIGNATURE: Final = b"\xff\xd8\xff"
"""Annex B: SOI, then the 0xFF of the next marker."""
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 (table B.1). DHT, JPG and DAC have codes in the same range."""
SUPPORTED_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive, with Huffman codes: the variants that browsers display. An arithmetic-coded image
of 50 megapixels can have 200 bytes."""
SEGMENTS: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""Allowed before the first scan: DHT, DAC, DQT, DRI, COM and APP0 to APP15 (table B.1 and B.2.4)."""
START_OF_SCAN: Final = 0xDA
FILL: Final = re.compile(rb"\xff{1,1024}")
"""Any number of 0xFF may precede a marker's code (B.1.1.2). Encoders write at most a few."""
EXIF: Final = (0xE1, b"Exif\0\0")
"""Marker and first bytes of the segment that holds the orientation (CIPA DC-008, 4.7.2)."""
MAX_EXIF_SEGMENTS: Final = 4
"""A camera writes one. Pillow joins all of them, in time that grows with the square of their number."""
MAX_SEGMENTS: Final = 1_000
"""Cameras write a few dozen before the first scan; a large embedded profile or preview takes a few hundred."""
SCAN: Final = re.compile(rb"\xff\xda")
END_OF_IMAGE: Final = re.compile(rb"\xff\xd9")
"""Both patterns take 0.5 ns per byte, and at most 1 ns. `bytes.count` takes 1 ns, and at most 2.5."""
MAX_SCANS: Final = 32
"""libjpeg's progressive images have 10. mozjpeg, which searches for the best script, writes fewer than 20. A decoder
visits all coefficients in each scan, which takes 33 ms for 50 megapixels, even if the scan is a few bytes."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    width: int
    height: int
    depth: int
    """Bits per sample."""
    components: int
    exif: bytes
    """The first EXIF segment without its prefix; empty if there is none. Decoders use the first one too."""
    end: int
    """The number of bytes that were checked. A decoder must not see those after them: other pictures, or a video."""


def read(image: bytes) -> Jpeg:
    """Raises `BrokenImage`, also for what a decoder would skip, such as garbage or an unknown marker.

    If a decoder skipped other bytes than this function, it would decode an image of another size than the one checked.
    """
    offset, frame, exif = 2, None, []
    for _ in range(MAX_SEGMENTS):
        fill = FILL.match(image, offset)
        if not fill or fill.end() + 9 > len(image):
            break
        offset = fill.end()
        marker, length = struct.unpack_from(">BH", image, offset)
        if marker == START_OF_SCAN and frame:
            depth, height, width, components = frame
            return Jpeg(width, height, depth, components, exif[0] if exif else b"", _end(image, offset - 1))
        if marker in FRAMES and not frame:
            if marker not in SUPPORTED_FRAMES:
                raise UnsupportedEncoding("the JPEG is lossless or arithmetic-coded: save it as a baseline JPEG")
            frame = struct.unpack_from(">BHHB", image, offset + 3)
        elif marker not in SEGMENTS or length < 2:
            break
        if (marker, image[offset + 3 : offset + 9]) == EXIF:
            exif.append(image[offset + 9 : offset + 1 + length])
            if len(exif) > MAX_EXIF_SEGMENTS:
                raise BrokenImage(f"the JPEG has more than {MAX_EXIF_SEGMENTS} EXIF segments: save it again")
        offset += 1 + length
    raise BrokenImage("the JPEG is broken (its size or its first scan can't be found): save it again")


def _end(image: bytes, first_scan: int) -> int:
    """Return how many bytes have at most `MAX_SCANS` scans: all, or those up to EOI. Raises `BrokenImage` if neither.

    In coded data, 0xFF is followed by 0x00 or a marker. So an EOI or SOS can be anything else only inside the tables
    and comments between two scans, which no encoder fills with them, and after the first picture.
    """
    if _scans(image, first_scan, len(image)) <= MAX_SCANS:
        return len(image)
    end = END_OF_IMAGE.search(image, first_scan)
    if end and _scans(image, first_scan, end.end()) <= MAX_SCANS:
        return end.end()
    raise BrokenImage(f"the JPEG has more than {MAX_SCANS} scans: save it again")


def _scans(image: bytes, start: int, end: int) -> int:
    """Count up to one more than `MAX_SCANS`."""
    return sum(1 for _ in islice(SCAN.finditer(image, start, end), MAX_SCANS + 1))
