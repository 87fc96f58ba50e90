"""Estimates how much memory the limits in the settings allow, and warns if the container has less."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import service_log
from proxy.settings import Settings

CGROUP: Final = Path("/sys/fs/cgroup")
LIMIT_FILES: Final = ("memory.max", "memory/memory.limit_in_bytes")
"""Of versions 2 and 1. Without a limit, version 1 has a number that no machine reaches."""
PROCESS_BYTES: Final = 100_000_000
"""Measured under load, with few clients. With `RATE_PER_CLIENT`, `rate_limits.MAX_WINDOWS` clients take 13 MB more."""
CONNECTION_BYTES: Final = 40_000
UPLOAD_COPIES: Final = 2
"""A body in base64 and the image in it."""
DECODER_BYTES_PER_PIXEL: Final = 8
"""Measured: a PNG or a progressive JPEG of 50 megapixels with four channels takes 406 MB."""
WEBP_BYTES: Final = 530_000_000
"""Measured: a WebP of 16 megapixels whose alpha channel has 65,536 groups of Huffman codes takes 527 MB."""


def max_memory(settings: Settings) -> int:
    """Return the bytes that all processes together may need."""
    processes = settings.workers + (settings.workers > 1)  # several have a supervisor
    decoders = settings.workers * settings.decoders if settings.input == "image" else 0
    decoder_bytes = max(settings.max_image_pixels * DECODER_BYTES_PER_PIXEL, WEBP_BYTES)
    return (
        processes * PROCESS_BYTES
        + settings.max_connections * CONNECTION_BYTES
        + settings.max_bytes_in_flight * UPLOAD_COPIES
        + decoders * decoder_bytes
    )


def warn_if_too_little(settings: Settings, cgroup: Path = CGROUP) -> None:
    limit = _limit(cgroup)
    if limit is not None and limit < max_memory(settings):
        service_log.get_logger().warning(
            "memory limit low",
            limit_mb=limit // 1_000_000,
            needed_mb=max_memory(settings) // 1_000_000,
            error="the container's memory is less than the limits in the settings allow: the process may be killed. "
            "Raise its limit, or lower WORKERS, MAX_BYTES_IN_FLIGHT, MAX_IMAGE_PIXELS or MAX_CONNECTIONS",
        )


def _limit(cgroup: Path) -> int | None:
    for name in LIMIT_FILES:
        with suppress(OSError, ValueError):  # no such version of cgroups, or `max`: there is no limit
            return int((cgroup / name).read_text("ascii"))
    return None
