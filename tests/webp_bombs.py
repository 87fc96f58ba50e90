"""WebPs whose bitstreams no encoder would write (RFC 9649), for the cost of decoding them."""

import struct
from typing import Final

MAX_GROUPS: Final = 65_536
CODE_LENGTHS: Final = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9)
"""The order in which the lengths of code-length codes are stored (3.7.2.1.2)."""
LONGEST_COPY: Final = 4_096


class _Bits:
    """Bits in the order of the lossless format: the least significant bit of each byte first."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def number(self, value: int, size: int) -> None:
        self._bits.append(f"{value:0{size}b}"[::-1])

    def code(self, bits: str) -> None:
        self._bits.append(bits)

    def to_bytes(self) -> bytes:
        bits = "".join(self._bits)
        return int(bits[::-1], 2).to_bytes(-(-len(bits) // 8), "little")


def webp_of_groups(side: int, groups: int = MAX_GROUPS) -> bytes:
    """A lossless WebP in which each block of 4 by 4 pixels may use another group of Huffman codes.

    A decoder keeps the tables of all groups, 5 KB for each, which the file describes in 20 bits.
    """
    bits = _Bits()
    bits.number(0x2F, 8)
    bits.number(side - 1, 14)
    bits.number(side - 1, 14)
    _lossless(bits, side, groups)
    return _riff((b"VP8L", bits.to_bytes()))


def webp_of_alpha_groups(picture: bytes, side: int, groups: int = MAX_GROUPS) -> bytes:
    """A lossy WebP, `picture`, with an alpha channel whose blocks use many groups of Huffman codes."""
    bits = _Bits()
    _codes_of_groups(bits, side, groups)
    (size,) = struct.unpack_from("<I", picture, 16)
    canvas = bytes([0x10, 0, 0, 0]) + (side - 1).to_bytes(3, "little") * 2
    return _riff((b"VP8X", canvas), (b"ALPH", b"\x01" + bits.to_bytes()), (b"VP8 ", picture[20 : 20 + size]))


def _lossless(bits: _Bits, side: int, groups: int) -> None:
    bits.number(1, 1)  # has alpha
    bits.number(0, 3)  # version
    for transform in (0, 1):  # predictor and cross-colour, each with one value for all blocks
        bits.number(1, 1)
        bits.number(transform, 2)
        bits.number(7, 3)
        bits.number(0, 1)
        for _ in range(5):
            _one_symbol(bits)
    _codes_of_groups(bits, side, groups)


def _codes_of_groups(bits: _Bits, side: int, groups: int) -> None:
    bits.number(0, 1)  # no further transform
    bits.number(0, 1)  # no colour cache
    bits.number(1, 1)  # several groups
    bits.number(0, 3)  # blocks of 4 pixels
    _group_numbers(bits, -(-side // 4), groups)
    for _ in range(5 * groups):  # of one symbol, so that the pixels take no bits
        _one_symbol(bits)


def _group_numbers(bits: _Bits, blocks: int, groups: int) -> None:
    """An image of `blocks` pixels a side whose red and green are the number of a group."""
    bits.number(0, 1)  # no colour cache
    _code(bits, {0: "10", 1: "11", 9: "0"}, [9] * 256 + [0] * 23 + [1])  # green, or a copy of the longest kind
    _code(bits, {8: ""}, [8] * 256)
    for _ in range(3):
        _one_symbol(bits)
    total = blocks**2
    assert blocks < groups <= total
    copies = (total - groups) // LONGEST_COPY
    for number in [*range(groups), *[0] * ((total - groups) % LONGEST_COPY)]:
        bits.code(f"1{number & 0xFF:08b}")
        bits.code(f"{number >> 8:08b}")
    for _ in range(copies):  # of the row above
        bits.code("0")
        bits.number(1023, 10)


def _code(bits: _Bits, codes: dict[int, str], lengths: list[int]) -> None:
    bits.number(0, 1)
    order = CODE_LENGTHS[: 1 + max(CODE_LENGTHS.index(length) for length in codes)]
    bits.number(len(order) - 4, 4)
    for length in order:
        bits.number(max(1, len(codes[length])) if length in codes else 0, 3)
    bits.number(0, 1)
    for length in lengths:
        bits.code(codes[length])


def _one_symbol(bits: _Bits) -> None:
    """A code of one symbol, which takes no bits."""
    bits.code("1000")


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
