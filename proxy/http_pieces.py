"""Cuts input into pieces in which few requests start. The parser cannot be stopped within a piece."""

from typing import Final

HEAD_END: Final = b"\r\n\r\n"
MIN_HEAD_BYTES: Final = len(b"GET / HTTP/1.1")
"""No head ends before this offset. Input that consists of blank lines is not cut into smaller pieces."""
MAX_HEAD_PIECE_BYTES: Final = 1024
MIN_CHUNKED_PIECE_BYTES: Final = 256
MAX_CHUNKED_PIECE_BYTES: Final = 8 * 1024


def piece_size(data: bytes | bytearray, *, is_in_body: bool) -> int:
    """Return how much of the data to parse at once: at most a head, or a part of a chunked body.

    A chunked body ends with `HEAD_END`, too, and the next request may follow.
    """
    if is_in_body:
        shortest, longest = MIN_CHUNKED_PIECE_BYTES, MAX_CHUNKED_PIECE_BYTES
    else:
        shortest, longest = MIN_HEAD_BYTES, MAX_HEAD_PIECE_BYTES
    end = data.find(HEAD_END, shortest, longest)
    return end + len(HEAD_END) if end >= 0 else longest
