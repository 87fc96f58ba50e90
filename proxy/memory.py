"""Estimates how much memory the limits in the settings allow, and warns if the container has less."""

from pathlib import Path
from typing import Final

import service_log
from proxy.settings import Settings

CGROUP: Final = Path("/sys/fs/cgroup")
PROCESS_BYTES: Final = 100_000_000
"""Measured under load."""
CONNECTION_BYTES: Final = 40_000
UPLOAD_COPIES: Final = 2
"""A body in base64 and the image in it."""
DECODER_BYTES_PER_PIXEL: Final = 8
"""Measured: a PNG or a progressive JPEG of 50 megapixels with four channels takes 406 MB."""
WEBP_BYTES: Final = 530_000_000
"""Measured: a WebP of 16 megapixels whose alpha channel has 65,536 groups of Huffman codes takes 527 MB."""


def max_memory(settings: Settings) -> int:
    """Return the bytes that all processes together may need."""
    decoders = settings.workers * settings.decoders if settings.input == "image" else 0
    decoder_bytes = max(settings.max_image_pixels * DECODER_BYTES_PER_PIXEL, WEBP_BYTES)
    return (
        settings.workers * PROCESS_BYTES
        + settings.max_connections * CONNECTION_BYTES
        + settings.max_bytes_in_flight * UPLOAD_COPIES
        + decoders * decoder_bytes
    )


def warn_if_too_little(settings: Settings, cgroup: Path = CGROUP) -> None:
    try:
        limit = int((cgroup / "memory.max").read_text("ascii"))
    except (OSError, ValueError):  # no cgroup v2, or `max`: there is no limit
        return
    if limit < max_memory(settings):
        service_log.get_logger().warning(
            "memory limit low",
            limit_mb=limit // 1_000_000,
            needed_mb=max_memory(settings) // 1_000_000,
            error="the container's memory is less than the limits in the settings allow: the process may be killed. "
            "Raise its limit, or lower WORKERS, MAX_BYTES_IN_FLIGHT, MAX_IMAGE_PIXELS or MAX_CONNECTIONS",
        )
